import { request } from 'node:http'

const CHUNK = Buffer.alloc(1024 * 1024, 7)
const FIRST = Buffer.from(CHUNK)
FIRST.set([
  0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 2, 0, 0, 0, 2, 0,
])

/** What came back. */
export interface Reply {
  readonly status: number
  readonly location: string | undefined
}

/** Sends megabytes as one request body, as fast as they are taken. */
export function sendBytes(
  url: string,
  options: {
    readonly method: string
    readonly megabytes: number
    readonly headers?: Readonly<Record<string, string>>
    /** Whether these are the first of the file. */
    readonly first?: boolean
    /** Without a Content-Length. */
    readonly chunked?: boolean
  },
): Promise<Reply> {
  const { method, megabytes, headers = {}, first = true, chunked = false } = options
  return new Promise((resolve, reject) => {
    const length = chunked ? {} : { 'content-length': String(megabytes * CHUNK.length) }
    const outgoing = request(url, { method, headers: { ...headers, ...length } }, (incoming) => {
      incoming.resume()
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, location: incoming.headers.location }),
      )
    })
    outgoing.on('error', reject)
    let sent = 0
    const more = (): void => {
      while (sent < megabytes) {
        sent += 1
        if (!outgoing.write(first && sent === 1 ? FIRST : CHUNK)) {
          outgoing.once('drain', more)
          return
        }
      }
      outgoing.end()
    }
    more()
  })
}
