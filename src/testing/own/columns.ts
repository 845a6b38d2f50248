import { users } from '../../auth/schema.ts'
import { jobs } from '../../jobs/schema.ts'
import { keyOf, type Overrides } from '../rows.ts'

/**
 * About so many rows, spread over the table, whatever its size: what crons find to do, since they have kept up. Were it
 * a share of the rows, a larger table would be measured with more work, not with more rows. `at` keeps two such sets
 * apart.
 */
const some = (count: number, at = 0): string => `(n % greatest(3, (rows / ${count})::bigint) = ${at})`

const ago = (time: string): string => `now() - interval '${time}'`
const HOUR = `interval '1 hour'`
/** From far enough ahead that the rows stay what they are for some days after the filling. */
const AHEAD = `now() + ${HOUR} * (120 + n % 500)`
const made = `(now() - interval '8760 hours' * power(1 - n::float8 / rows, 2))`
/** Spread over the last so many hours, later rows later. */
const within = (hours: number): string => `(now() - ${HOUR} * (${hours} * (1 - n::float8 / rows)))`

// Most of what was ever made is over; the last rows are on their way.
const JOB_STATE = `case when n > rows - 200 then 'pending' when n > rows - 230 then 'running'
  when ${some(200)} then 'dead' when ${some(200, 1)} then 'cancelled' when ${some(100, 2)} then 'discarded' else 'done' end`
const UPLOAD_STATE = `case when n > rows - 50 then 'receiving' when n > rows - 80 then 'quarantined'
  when ${some(200)} then 'rejected' when ${some(200, 1)} then 'deleted' else 'published' end`

/** How the SDK's own rows must agree within themselves, for `fill`. */
export const ownColumns: Readonly<Record<string, Overrides>> = {
  users: {
    password_hash: `'$stub$' || to_hex(n)`,
    email_verified_at: `case when ${some(200)} then null else ${made} end`,
    session_generation: '0',
    disabled_at: `case when n % 1000 = 999 then now() end`,
  },
  sessions: {
    generation: '0',
    refresh_counter: '1',
    transport: `case when n % 4 = 0 then 'token' else 'cookie' end`,
    last_used_at: `case when ${some(100, 1)} then ${ago('8 days')} else now() - ${HOUR} * (n % 72) end`,
    expires_at: `case when ${some(100)} then ${ago('1 hour')} else ${AHEAD} end`,
  },
  verification_tokens: { expires_at: `case when ${some(100)} then ${ago('1 hour')} else ${AHEAD} end` },
  // One account in ten has a second factor.
  totp_factors: { confirmed_at: `case when n % 10 = 0 then ${made} end` },
  // One in ten has passkeys, ten of them.
  passkeys: { user_id: keyOf(users.id, '(5 + 10 * ((n - 1) / 10))') },
  spent_challenges: { expires_at: `case when ${some(100)} then ${ago('1 hour')} else ${AHEAD} end` },
  api_keys: {
    expires_at: `case when ${some(100)} then ${ago('400 days')} when n % 2 = 0 then ${AHEAD} end`,
    revoked_at: `case when ${some(100, 1)} then ${ago('400 days')} end`,
  },
  auth_events: { created_at: `case when n <= 100 then ${ago('401 days')} else ${within(395 * 24)} end` },
  jobs: {
    state: JOB_STATE,
    priority: '0',
    run_at: made,
    send_after: `case when n % 2 = 0 then ${ago('1 minute')} else ${AHEAD} end`,
    sends: '0',
    attempt: `case when n > rows - 200 then 0 when n % 10 = 0 then 5 else 1 end`,
    max_attempts: '5',
    type: `'mail-' || n % 20`,
    lease_ms: '60000',
    lease_token: `case when ${JOB_STATE} = 'running' then gen_random_uuid() end`,
    lease_until: `case when ${JOB_STATE} = 'running' then case when n % 2 = 0 then ${ago('1 minute')} else ${AHEAD} end end`,
    debounce: `case when n > rows - 200 and n % 4 = 0 then 'report-' || n end`,
    // One in ten belongs to a batch of a hundred.
    batch_id: `case when n % 10 = 0 then ${keyOf(jobs.id, '(n - n % 1000 + 1)')} end`,
    batch_open: 'false',
    waits_for: '0',
    finished_at: `case when ${JOB_STATE} in ('pending', 'running') then null when n <= 100 then ${ago('31 days')}
      when ${JOB_STATE} = 'dead' then ${ago('10 days')} else ${within(72)} end`,
  },
  // As many statements every hour, whatever the size: a larger history is a longer one.
  query_history: {
    kind: `case when n % 40 < 30 then 'statement' else 'table' end`,
    key: `'k' || n % 40`,
    // A thousand are past their time, in the shortest of histories too.
    taken_at: `date_trunc('hour', now())
      - ${HOUR} * greatest((rows - n)::bigint / 40, case when n <= 1000 then 960 + (1000 - n) / 40 else 0 end)`,
    text: `case when n % 40 < 30 then 'select * from orders where id = $' || n % 40 end`,
    calls: '100 + n % 100',
    // Whoever looks now is not too early.
    seen_at: ago('1 hour'),
    milliseconds: '1000 + n % 100',
  },
  job_lanes: {
    holders: `'{}'::jsonb`,
    arrival: made,
    touched_at: `case when ${some(100)} then ${ago('2 days')} else ${AHEAD} end`,
  },
  uploads: {
    owner_id: keyOf(users.id, '(1 + n % greatest(1, (rows / 10)::bigint))'),
    state: UPLOAD_STATE,
    size: '1000 + n % 100000',
    sha256: `lpad(to_hex(n), 64, 'a')`,
    type: `'image/png'`,
    updated_at: `case when ${UPLOAD_STATE} in ('receiving', 'quarantined') then now() - ${HOUR} * (2 + n % 48)
      else ${made} end`,
    purged_at: `case when ${UPLOAD_STATE} in ('rejected', 'deleted') and n < rows / 2 then now() end`,
  },
  upload_transfers: {
    mode: `(array['tus', 'put', 'multipart'])[1 + n % 3]`,
    length: `case when n % 4 > 0 then 100000 end`,
    received_bytes: `case when n % 8 = 1 then 100000 else 50000 end`,
    part_bytes: '8388608',
    etags: `'[]'::jsonb`,
    tail_key: `case when ${some(200)} then 'tail/' || n end`,
    lock_token: 'null',
    lock_until: 'null',
    expires_at: `case when ${some(100)} or n > rows - 50 and n % 2 = 0 then ${ago('1 hour')} else ${AHEAD} end`,
  },
  upload_usage: {
    owner_id: keyOf(users.id),
    reserved_bytes: '1000000000',
    stored_bytes: '1000000000',
    files: '1000',
  },
}
