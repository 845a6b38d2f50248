import process from 'node:process'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createJobs, type JobFilter, type JobState, type JobSummary, type Jobs } from '../jobs/index.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'jobs'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = 'List, inspect, replay, discard and cancel jobs'
/** What follows the command. */
export const positionals: string = '<list|show|counts|replay|discard|cancel> [id…]'
/** More for its help. */
export const details: string = `The database is DATABASE_URL_DIRECT. replay, discard and cancel take ids, or --state and
--type together with --all. What is replayed is sent by the worker's relay, within two minutes. Inputs may hold personal
data: only show prints one, and only with --input.`

const STATES: readonly JobState[] = ['pending', 'running', 'done', 'dead', 'cancelled', 'discarded']

const OPTIONS = {
  url: { type: 'string', value: 'URL', summary: 'which database (DATABASE_URL_DIRECT)' },
  state: {
    type: 'string',
    value: 'STATE',
    summary: 'pending, running, done, dead, cancelled or discarded (list: dead)',
  },
  type: { type: 'string', value: 'NAME', summary: 'jobs of this type only' },
  limit: { type: 'string', value: 'N', summary: 'how many are listed (50)' },
  all: { type: 'boolean', summary: 'all jobs that --state and --type name, instead of ids' },
  input: { type: 'boolean', summary: 'show prints the input too' },
  json: { type: 'boolean', summary: 'print JSON' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

type Input = CommandInput<typeof OPTIONS>

/** Runs it. */
export async function run({ values, positionals: [what = '', ...ids] }: Input): Promise<number> {
  const act = Object.hasOwn(ACTS, what) ? ACTS[what] : undefined
  if (act === undefined) throw new UsageError(`breakwater jobs does one of: ${Object.keys(ACTS).join(', ')}`)
  const url = values.url ?? process.env['DATABASE_URL_DIRECT'] ?? ''
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new UsageError('Set DATABASE_URL_DIRECT, or give --url: postgres://user:password@host/database')
  }
  const filter = filterOf(values, ids)
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  pool.on('error', () => {})
  try {
    return await act({ pool, jobs: createJobs({ db: drizzle({ client: pool }), jobs: [] }), filter, values })
  } catch (error) {
    if (error instanceof UsageError || error instanceof CommandFailed) throw error
    const cause = (error as { cause?: unknown }).cause
    // The driver's own words. Drizzle's repeat the parameters.
    throw new CommandFailed(
      `Postgres did not do it: ${(cause instanceof Error ? cause : (error as Error)).message}`,
    )
  } finally {
    await pool.end()
  }
}

function filterOf({ state, type }: Input['values'], ids: readonly string[]): JobFilter {
  if (state !== undefined && !STATES.includes(state as JobState))
    throw new UsageError(`--state is one of ${STATES.join(', ')}`)
  for (const id of ids) {
    if (!/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)) throw new UsageError(`"${id}" is no job's id`)
  }
  return {
    ...(ids.length > 0 && { ids }),
    ...(state !== undefined && { state: state as JobState }),
    ...(type !== undefined && { type }),
  }
}

interface Call {
  readonly pool: pg.Pool
  readonly jobs: Jobs
  readonly filter: JobFilter
  readonly values: Input['values']
}

const ACTS: Readonly<Record<string, (call: Call) => Promise<number>>> = {
  async list({ jobs, filter, values }) {
    const limit = Number(values.limit ?? 50)
    if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw new UsageError('--limit is 1 to 500')
    const state = filter.ids || filter.state || filter.type ? {} : { state: 'dead' as const }
    const rows = await jobs.list({ ...state, ...filter, limit })
    if (values.json) print(JSON.stringify(rows))
    else for (const row of rows) print(line(row))
    if (rows.length === 0 && !values.json) print('None.')
    return 0
  },
  async show({ pool, jobs, filter, values }) {
    const [id, ...more] = filter.ids ?? []
    if (id === undefined || more.length > 0) throw new UsageError('breakwater jobs show takes one id')
    const found = await jobs.status(id)
    if (found === undefined) throw new CommandFailed('There is no such job.')
    const shown: Record<string, unknown> = { ...found }
    if (values.input) {
      const { rows } = await pool.query('select input, input_object from breakwater.jobs where id = $1', [id])
      Object.assign(shown, rows[0])
    }
    print(JSON.stringify(shown, null, values.json ? 0 : 2))
    return 0
  },
  async counts({ jobs, values }) {
    const rows = await jobs.counts()
    if (values.json) print(JSON.stringify(rows))
    else
      for (const { type, state, count } of rows)
        print(`${String(count).padStart(9)}  ${state.padEnd(9)}  ${type}`)
    return 0
  },
  replay: (call) => change(call, 'replayed', async (filter) => (await call.jobs.replay(filter)).length),
  discard: (call) => change(call, 'discarded', (filter) => call.jobs.discard(filter)),
  cancel: (call) => change(call, 'cancelled', (filter) => call.jobs.cancel(filter)),
}

async function change(
  { filter, values }: Call,
  done: string,
  act: (filter: JobFilter) => Promise<number>,
): Promise<number> {
  const named = filter.state !== undefined || filter.type !== undefined
  if (filter.ids === undefined && !(values.all && named))
    throw new UsageError('Say which: ids, or --all with --state, --type, or both')
  const count = await act(filter)
  print(values.json ? JSON.stringify({ [done]: count }) : `${count} ${done}.`)
  // Ids that were asked for and did not fit: the caller should hear of it.
  return filter.ids !== undefined && count < filter.ids.length ? 1 : 0
}

function line({
  id,
  type,
  state,
  attempt,
  maxAttempts,
  createdAt,
  failure,
  failureDetail,
}: JobSummary): string {
  const why = failure === null ? '' : `  ${failure}${failureDetail === null ? '' : `: ${failureDetail}`}`
  return `${id}  ${createdAt.toISOString()}  ${state.padEnd(9)}  ${type}  ${attempt}/${maxAttempts}${why}`.replace(
    /[\r\n]+/g,
    ' ',
  )
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
