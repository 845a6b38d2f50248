import { connect } from 'node:net'

/** How often a real Redis has run each command, those inside of scripts included. */
export function commandCalls(url: string): Promise<ReadonlyMap<string, number>> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.setEncoding('latin1')
    socket.on('error', reject)
    // An inline command, and then the connection's end, is all of the protocol that is needed.
    socket.on('connect', () => socket.write('INFO commandstats\r\nQUIT\r\n'))
    socket.on('data', (chunk: string) => {
      text += chunk
    })
    socket.on('close', () =>
      resolve(
        new Map(
          [...text.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name = '', calls]) => [
            name,
            Number(calls),
          ]),
        ),
      ),
    )
  })
}
