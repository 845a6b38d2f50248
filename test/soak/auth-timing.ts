import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { percentile } from '../../bench/support/statistics.ts'
import { type Local, startLocal } from '../../src/local/index.ts'
import { Browser, type Reply } from '../conformance/asvs/browser.ts'
import { type Welch, welch } from './auth/welch.ts'

const PASSWORD = 'lantern above nine quiet harbours'
const WRONG = 'seventeen herons cross a frozen lake'
/** One false alarm in three hundred runs of three flows. */
const ALARM = 0.001
const ROUNDS = 200

/** One flow, asked of an address that has an account and of one that has none. */
const flows: Readonly<Record<string, (visitor: Browser, email: string) => Promise<Reply>>> = {
  'sign in': (visitor, email) => visitor.send('POST', '/auth/sign-in', { email, password: WRONG }),
  'sign up': (visitor, email) => visitor.send('POST', '/auth/sign-up', { email, password: PASSWORD }),
  forgot: (visitor, email) => visitor.send('POST', '/auth/password/forgot', { email }),
}

/**
 * `npm run soak -- auth-timing [--count N]`: whether the time of an answer tells if a mail address has an account, by
 * Welch's t-test over N tries of each (a thousand); and how long after a session was ended on one connection another
 * is refused. Over HTTP, of the reference app in workerd. Wants a machine with nothing else to do.
 */
export async function run({ count = 1000 }: { readonly count?: number | undefined }): Promise<string> {
  const state = mkdtempSync(join(tmpdir(), 'breakwater-timing-'))
  chmodSync(state, 0o755)
  let local: Local | undefined
  try {
    local = await startLocal({ state, crons: false })
    const known = await people(local, Math.max(count, ROUNDS))
    const lines: string[] = []
    const seen: string[] = []
    for (const [name, flow] of Object.entries(flows)) {
      const { difference, t, degrees, p, mean } = await compare(local, known.slice(0, count), flow)
      const line = `${name}: ${mean.toFixed(1)} ms, known less unknown ${difference.toFixed(3)} ms, t = ${t.toFixed(2)} of ${degrees.toFixed(0)} degrees, p = ${p.toFixed(4)}`
      console.error(line)
      lines.push(line)
      if (p < ALARM) seen.push(name)
    }
    if (seen.length > 0)
      throw new Error(`Timing tells accounts apart: ${seen.join(', ')}\n${lines.join('\n')}`)
    lines.push(await revocation(local, known.slice(0, ROUNDS)))
    return `auth-timing: ${count} tries of each, interleaved\n${lines.join('\n')}`
  } finally {
    await local?.stop()
    rmSync(state, { recursive: true, force: true })
  }
}

/** People with verified accounts, made as one is and copied. */
async function people(local: Local, count: number): Promise<string[]> {
  const pool = new pg.Pool({ connectionString: local.postgres, max: 1 })
  try {
    const visitor = new Browser(local.worker ?? '')
    const email = 'first@people.example'
    let status = 503
    for (let tries = 0; status === 503 && tries < 20; tries++) {
      status = (await visitor.send('POST', '/auth/sign-up', { email, password: PASSWORD })).status
    }
    if (status !== 202) throw new Error(`Signing up was answered ${status}`)
    await pool.query(`
      with t as (delete from breakwater.verification_tokens returning user_id, password_hash)
      update breakwater.users u set password_hash = t.password_hash, email_verified_at = now() from t where u.id = t.user_id`)
    const { rows } = await pool.query<{ email: string }>(
      `insert into breakwater.users (id, email, password_hash, email_verified_at)
        select gen_random_uuid(), 'person' || n || '@people.example', password_hash, now()
        from breakwater.users, generate_series(1, $1) n returning email`,
      [count],
    )
    await pool.query('analyze breakwater.users')
    return rows.map((row) => row.email)
  } finally {
    await pool.end()
  }
}

async function compare(
  local: Local,
  known: readonly string[],
  flow: (visitor: Browser, email: string) => Promise<Reply>,
): Promise<Welch & { readonly mean: number }> {
  const times = { known: [] as number[], unknown: [] as number[] }
  const answers = new Set<number>()
  const once = async (email: string): Promise<{ status: number; took: number }> => {
    // An address of its own: what is asked for is not what the limiter answers.
    const visitor = new Browser(local.worker ?? '')
    const began = performance.now()
    const { status } = await flow(visitor, email)
    return { status, took: performance.now() - began }
  }
  for (let i = 0; i < 20; i++) await once(`warm${i}-${Math.random()}@nobody.example`)
  // All of them in random order, so that what one leaves behind (a mail to send) meets either kind as often.
  const order = shuffled(
    known.flatMap((email, i) => [
      { email, i, kind: 'known' as const },
      { email: '', i, kind: 'unknown' as const },
    ]),
  )
  for (const { email, i, kind } of order) {
    for (let tries = 0; ; tries++) {
      // As long, and as much of a word.
      const { status, took } = await once(kind === 'known' ? email : `person${i + 1}@nobody${tries}.example`)
      // A limiter that must not guess refuses while the machine is too busy for its store: no answer.
      if (status === 503 && tries < 20) continue
      answers.add(status)
      times[kind].push(took)
      break
    }
  }
  if (answers.size !== 1) throw new Error(`Answers differ: ${[...answers].join(', ')}`)
  const all = [...times.known, ...times.unknown]
  return {
    ...welch(times.known, times.unknown),
    mean: all.reduce((sum, value) => sum + value, 0) / all.length,
  }
}

/** In random order (Fisher and Yates). */
function shuffled<T>(list: readonly T[]): T[] {
  const out = [...list]
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    ;[out[i], out[j]] = [out[j] as T, out[i] as T]
  }
  return out
}

/** Ends sessions while a copy of their cookies is in use elsewhere. */
async function revocation(local: Local, known: readonly string[]): Promise<string> {
  const fromAsking: number[] = []
  const fromAnswer: number[] = []
  let late = 0
  for (const email of known) {
    const owner = new Browser(local.worker ?? '')
    const { status } = await owner.send('POST', '/auth/sign-in', { email, password: PASSWORD })
    if (status !== 200) throw new Error(`Signing in was answered ${status}`)
    const thief = owner.stolen()
    if (!(await thief.send('GET', '/me')).ok) throw new Error('A copied cookie does not work to begin with')
    let answered = Number.POSITIVE_INFINITY
    const watching = (async () => {
      for (;;) {
        const began = performance.now()
        const reply = await thief.send('GET', '/me')
        if (reply.status === 401) return performance.now()
        if (began > answered) late++
      }
    })()
    const asked = performance.now()
    await owner.send('POST', '/auth/sign-out')
    answered = performance.now()
    const refused = await watching
    fromAsking.push(refused - asked)
    fromAnswer.push(Math.max(0, refused - answered))
  }
  const line = `revoked on one connection, refused on another: p50 ${percentile(fromAsking, 0.5).toFixed(1)} ms, p99 ${percentile(fromAsking, 0.99).toFixed(1)} ms after it was asked for; p99 ${percentile(fromAnswer, 0.99).toFixed(1)} ms after it was answered; ${late} of ${known.length} let in by a request sent after the answer`
  if (late > 0) throw new Error(line)
  return line
}
