import { readCredentials } from './credentials.ts'
import { NeonFailure, postgresFields } from './errors.ts'
import { MAX_REQUEST, type Payload, readPayload } from './payload.ts'
import type { Lease, Pool } from './pool.ts'
import { failed, MAX_RESPONSE, type OutputForm, runStatement } from './run.ts'

/** How large things may get; Neon's own figures by default. */
export interface Limits {
  /** Bytes of a request's body. Default 64 MiB; more is answered by 413. */
  readonly maxRequest?: number
  /** Bytes of a statement's result. Default 64 MiB; more is answered by 507. */
  readonly maxResponse?: number
}

const LEVELS: ReadonlyMap<string, string> = new Map([
  ['ReadUncommitted', 'READ UNCOMMITTED'],
  ['ReadCommitted', 'READ COMMITTED'],
  ['RepeatableRead', 'REPEATABLE READ'],
  ['Serializable', 'SERIALIZABLE'],
])

const ECHOED = ['Neon-Batch-Isolation-Level', 'Neon-Batch-Read-Only', 'Neon-Batch-Deferrable'] as const

function startTransaction(headers: Headers): string {
  const modes: string[] = []
  const wanted = headers.get('Neon-Batch-Isolation-Level')
  if (wanted !== null) {
    const level = LEVELS.get(wanted)
    if (level === undefined) throw new NeonFailure(400, 'invalid isolation level')
    modes.push(`ISOLATION LEVEL ${level}`)
  }
  if (headers.get('Neon-Batch-Read-Only') === 'true') modes.push('READ ONLY')
  if (headers.get('Neon-Batch-Deferrable') === 'true') modes.push('DEFERRABLE')
  return `START TRANSACTION ${modes.join(', ')}`
}

async function runBatch(lease: Lease, payload: Payload, begin: string, form: OutputForm): Promise<string> {
  const { client } = lease
  await client.query(begin)
  try {
    const results: string[] = []
    for (const statement of payload.statements) results.push(await runStatement(client, statement, form))
    await client.query('COMMIT')
    return `{"results":[${results.join(',')}]}`
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

async function run(
  lease: Lease,
  payload: Payload,
  begin: string,
  form: OutputForm,
  signal: AbortSignal,
): Promise<string> {
  let gone = false
  const cancel = (): void => {
    gone = true
    lease.cancel()
  }
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  let broken = true
  try {
    const [first] = payload.statements
    const json =
      payload.batch || first === undefined
        ? await runBatch(lease, payload, begin, form)
        : await runStatement(lease.client, first, form)
    broken = gone
    return json
  } catch (error) {
    // Postgres's own errors leave a connection in order; anything else leaves it in a state nobody knows.
    const known =
      error instanceof NeonFailure ? error.fields['code'] != null : postgresFields(error) !== undefined
    broken = gone || !known
    throw error instanceof NeonFailure ? error : failed(error)
  } finally {
    signal.removeEventListener('abort', cancel)
    lease.release(broken)
  }
}

/** Answers `POST /sql`. */
export async function answerSql(request: Request, pool: Pool, limits: Limits): Promise<Response> {
  const { headers } = request
  const credentials = readCredentials(headers.get('Neon-Connection-String'))
  const form: OutputForm = {
    raw: headers.get('Neon-Raw-Text-Output') === 'true',
    arrayMode: headers.get('Neon-Array-Mode') === 'true',
    max: limits.maxResponse ?? MAX_RESPONSE,
  }
  const begin = startTransaction(headers)
  const payload = await readPayload(request, limits.maxRequest ?? MAX_REQUEST)
  const lease = await pool.lease(credentials)
  const json = await run(lease, payload, begin, form, request.signal)
  const echoed = payload.batch
    ? ECHOED.flatMap((name) => {
        const value = headers.get(name)
        return value === null || value === 'false' ? [] : [[name, value] as [string, string]]
      })
    : []
  return new Response(json, { headers: [['Content-Type', 'application/json'], ...echoed] })
}
