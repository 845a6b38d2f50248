import { currentWork, span } from '../core/index.ts'
import { classify } from './classify.ts'
import { PostgresError } from './errors.ts'
import { fingerprint } from './fingerprint.ts'
import { remaining } from './limits.ts'
import { timed } from './timing.ts'
import { type Result, type Statement, type Transport, typeParsers } from './transport.ts'

/** How a transaction is opened. */
export interface Opening {
  readonly begin: string
  readonly readOnly: boolean
}

/** A connection that lives for one transaction, or for its repetitions. */
export interface Connection extends Transport<undefined> {
  /** One statement outside of any transaction: what it changes is there at once. */
  single(statement: Statement): Promise<Result>
  /** Begins; with the connection's first, opening it costs no round trip of its own. */
  begin(opening: Opening): Promise<void>
  commit(): Promise<void>
  /** Never fails: a connection that cannot roll back is closed, which does the same. */
  rollback(): Promise<void>
  /** Whether it can be used again. */
  readonly usable: boolean
  close(): Promise<void>
}

/** The part of `pg`'s Client, and of Neon's, that is used. */
export interface PgClient {
  connect(): Promise<unknown>
  query(query: never): Promise<unknown>
  end(): Promise<unknown>
  on(event: 'error' | 'end', listener: (error: unknown) => void): unknown
}

/**
 * Opens a connection to Postgres. It belongs to the unit of work it was opened in and must be closed in it: workerd
 * does not let one request use another's.
 *
 * @param make makes the client, given the milliseconds it may take to connect
 * @param timeout milliseconds a statement may take, when the current work leaves as much
 * @param kind how it travels, for spans
 */
export async function openConnection(
  make: (milliseconds: number) => PgClient,
  timeout: number,
  kind: 'websocket' | 'tcp',
): Promise<Connection> {
  const work = currentWork()
  const milliseconds = remaining(timeout, work)
  if (milliseconds <= 0) throw new PostgresError('timeout', {}, new Error('no time left [connect]'))
  const client = make(Math.ceil(milliseconds))
  const attributes = { 'db.system.name': 'postgresql', transport: kind } as const

  let broken = false
  let ended = false
  let readOnly = false
  // A statement waits for the one before it: they share one line.
  let line: Promise<unknown> = Promise.resolve()
  let breakOff: (reason: unknown) => void = () => {}
  const brokenOff = new Promise<never>((_, reject) => {
    breakOff = (reason) => {
      broken = true
      reject(reason)
    }
  })
  brokenOff.catch(() => {})
  // The driver hands on what the socket says, which is not always an Error.
  client.on('error', (error: unknown) => breakOff(error))
  client.on('end', () => {
    if (!ended) breakOff(new Error('Connection terminated'))
  })
  const hangUp = (): void => {
    breakOff(new Error('Connection cut short'))
    void close()
  }
  work?.signal.addEventListener('abort', hangUp, { once: true })

  const aborted = (): boolean => work?.signal.aborted === true || remaining(timeout, work) <= 0

  function close(): Promise<void> {
    work?.signal.removeEventListener('abort', hangUp)
    if (ended) return Promise.resolve()
    ended = true
    const goodbye = client.end().catch(() => {})
    // The driver waits for the end of a line that may have ended already.
    if (broken) return Promise.resolve()
    return settledWithin(goodbye, GRACE)
  }

  /** One round trip, after those before it. `unchanged` tells whether losing its answer leaves no doubt. */
  function send<T>(name: string, unchanged: boolean, run: () => Promise<T>): Promise<T> {
    const turn = line.then(async () => {
      const left = remaining(timeout, work)
      let timer: ReturnType<typeof setTimeout> | undefined
      try {
        if (broken || ended) throw new Error('Connection terminated')
        const late = new Promise<never>((_, reject) => {
          // The server's own limit strikes first, unless the server is not heard any more.
          timer = setTimeout(() => reject(new Error('no answer in time')), left + GRACE)
        })
        return await timed(name, attributes, () => Promise.race([run(), brokenOff, late]))
      } catch (thrown) {
        const { error } = classify(thrown, { statement: name, readOnly: unchanged, aborted: aborted() })
        if (error.sqlState === undefined || error.failure === 'unavailable') broken = true
        throw error
      } finally {
        clearTimeout(timer)
      }
    })
    line = turn.catch(() => {})
    return turn
  }

  const query = (
    { sql, params, arrayMode, readOnly: reads }: Statement,
    unchanged: boolean,
  ): Promise<Result> =>
    send(fingerprint(sql), unchanged || reads, () =>
      client.query({
        text: sql,
        values: [...params],
        types: typeParsers,
        ...(arrayMode && { rowMode: 'array' }),
      } as never),
    ) as Promise<Result>
  const run = (statement: Statement): Promise<Result> => query(statement, true)

  try {
    await span('db.connect', kind, () => Promise.race([client.connect(), brokenOff]), attributes)
  } catch (thrown) {
    broken = true
    void close()
    // Whatever it was, nothing was asked yet.
    throw classify(thrown, { statement: 'connect', readOnly: true, aborted: aborted() }).error
  }

  return {
    get usable() {
      return !broken && !ended
    },
    run,
    single: (statement) => query(statement, false),
    async batch(statements) {
      const results: Result[] = []
      for (const statement of statements) results.push(await run(statement))
      return results
    },
    async begin(opening) {
      readOnly = opening.readOnly
      await send('begin', true, () => client.query(opening.begin as never))
    },
    async commit() {
      await send('commit', readOnly, () => client.query('commit' as never))
    },
    async rollback() {
      if (!broken && !ended)
        await send('rollback', true, () => client.query('rollback' as never)).catch(() => {})
    },
    close,
  }
}

const GRACE = 1000

/** Waits for a promise, but no longer than that; leaves no timer behind. */
async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await Promise.race([promise, late])
  clearTimeout(timer)
}
