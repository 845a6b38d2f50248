import type { ByteSource } from './byte-source.ts'
import { badUpload } from './errors.ts'
import { FormError, type FormEvent, FormParser } from './form-parser.ts'

/** The file in a form. Its bytes are to be read before anything behind it is seen. */
export interface FormFile {
  readonly fileName: string
  /** The part's own header fields. */
  readonly headers: Headers
  readonly source: ByteSource
}

/** What a form may hold beside its file. */
const MAX_OTHER_BYTES = 64 * 1024

/**
 * The first file in a `multipart/form-data` body, streamed. Other fields are passed over, within reason; a second
 * file is an error rather than lost in silence, and so is a body that ends before its closing boundary.
 */
export async function firstFile(body: ByteSource, boundary: string): Promise<FormFile> {
  const parser = new FormParser(boundary)
  const queue: FormEvent[] = []
  let other = 0

  async function next(): Promise<FormEvent> {
    for (;;) {
      const event = queue.shift()
      if (event !== undefined) return event
      const chunk = await body.read()
      if (chunk === undefined) throw badUpload('The form ends before its closing boundary.')
      try {
        queue.push(...parser.push(chunk))
      } catch (error) {
        throw error instanceof FormError ? badUpload(error.message, error) : error
      }
    }
  }

  function passOver(event: FormEvent): void {
    other += event.kind === 'data' ? event.bytes.length : 0
    if (other > MAX_OTHER_BYTES) throw badUpload('The form has too much in it beside its file.')
  }

  async function toTheEnd(): Promise<void> {
    for (let event = await next(); event.kind !== 'end'; event = await next()) {
      if (event.kind === 'part' && event.fileName !== undefined) {
        throw badUpload('The form has more than one file. Send one at a time.')
      }
      passOver(event)
    }
  }

  for (let event = await next(); event.kind !== 'end'; event = await next()) {
    if (event.kind !== 'part' || event.fileName === undefined) {
      passOver(event)
      continue
    }
    let done = false
    return {
      fileName: event.fileName,
      headers: event.headers,
      source: {
        async read() {
          if (done) return undefined
          const inside = await next()
          if (inside.kind === 'data') return inside.bytes
          done = true
          await toTheEnd()
          return undefined
        },
        cancel: (reason) => body.cancel(reason),
      },
    }
  }
  throw badUpload('The form has no file.')
}
