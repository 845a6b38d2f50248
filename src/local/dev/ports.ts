import { type AddressInfo, createServer } from 'node:net'
import { codeOf, LocalError } from './errors.ts'

/** The ports of the local stack. 0 is any free one. */
export interface LocalPorts {
  /** The worker. Default 8787. */
  readonly worker: number
  /** The page that links everything. Default 8700. */
  readonly console: number
  /** Default 8701. */
  readonly postgres: number
  /** Default 8702. */
  readonly neon: number
  /** Default 8703. */
  readonly upstash: number
  /** Default 8704. */
  readonly sentry: number
  /** Default 8705. */
  readonly mail: number
}

/** The ports that documentation and examples name. */
export const DEFAULT_PORTS: LocalPorts = {
  worker: 8787,
  console: 8700,
  postgres: 8701,
  neon: 8702,
  upstash: 8703,
  sentry: 8704,
  mail: 8705,
}

const NAMES: Record<keyof LocalPorts, string> = {
  worker: 'the worker',
  console: 'the console',
  postgres: 'Postgres',
  neon: 'the Neon endpoint',
  upstash: 'the Upstash endpoint',
  sentry: 'the Sentry stand-in',
  mail: 'the mailbox',
}

/** The flag that changes a port. */
function portFlag(part: keyof LocalPorts): string {
  return part === 'worker' ? '--port' : `--${part}-port`
}

/** The error for a port in use, with the part that wanted it and the flag that moves it. */
export function portTaken(part: keyof LocalPorts, port: number): LocalError {
  return new LocalError(
    `Port ${port}, wanted for ${NAMES[part]}, is taken by another program: stop that, or choose another port with ${portFlag(part)}.`,
  )
}

/**
 * Checks that the wanted ports are free, before anything is started.
 * @throws {LocalError} naming the first that is not, or two parts that want the same.
 */
export async function checkPorts(ports: LocalPorts, parts: readonly (keyof LocalPorts)[]): Promise<void> {
  const wanted = new Map<number, keyof LocalPorts>()
  for (const part of parts) {
    const port = ports[part]
    const other = wanted.get(port)
    if (port !== 0 && other !== undefined) {
      throw new LocalError(
        `Port ${port} is wanted for both ${NAMES[other]} and ${NAMES[part]}: move one with ${portFlag(other)} or ${portFlag(part)}.`,
      )
    }
    wanted.set(port, part)
  }
  await Promise.all(
    parts.map(async (part) => {
      if (ports[part] !== 0 && (await probe(ports[part])) === undefined) throw portTaken(part, ports[part])
    }),
  )
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const port = await probe(0)
  if (port === undefined) throw new LocalError('No port is free on this machine.')
  return port
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => {
      const code = codeOf(error)
      if (code === 'EADDRINUSE') resolve(undefined)
      else if (code === 'EACCES')
        reject(new LocalError(`Port ${port} is one that this user may not listen on.`))
      else reject(error)
    })
    server.listen(port, '127.0.0.1', () => {
      const bound = (server.address() as AddressInfo).port
      server.close(() => resolve(bound))
    })
  })
}
