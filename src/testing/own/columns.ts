import type { Overrides } from '../rows.ts'

// Most of what was ever made is over; the last rows are on their way.
const JOB_STATE = `case when n > rows - 200 then 'pending' when n > rows - 230 then 'running'
  when n % 1000 = 0 then 'dead' when n % 1500 = 0 then 'cancelled' else 'done' end`
const UPLOAD_STATE = `case when n > rows - 50 then 'receiving' when n > rows - 80 then 'quarantined'
  when n % 500 = 0 then 'rejected' when n % 300 = 0 then 'deleted' else 'published' end`
const made = `(now() - interval '1 year' * power(1 - n::float8 / rows, 2))`

/** How the SDK's own rows must agree within themselves, for `fill`. */
export const ownColumns: Readonly<Record<string, Overrides>> = {
  users: {
    password_hash: `'$stub$' || md5(n::text)`,
    email_verified_at: `case when n % 500 = 0 then null else ${made} end`,
    session_generation: '0',
    disabled_at: `case when n % 1000 = 0 then now() end`,
  },
  sessions: {
    generation: '0',
    last_used_at: `now() - interval '7 days' * (n % 1000) / 1000`,
    expires_at: `now() + interval '30 days' * ((n % 997) / 997.0) - interval '1 minute'`,
  },
  verification_tokens: { expires_at: `now() + interval '1 day' * ((n % 100) / 100.0) - interval '1 minute'` },
  // A quarter of a per cent has outlived its time and waits for the next pruning.
  auth_events: { created_at: `now() - interval '401 days' * (1 - n::float8 / rows)` },
  jobs: {
    state: JOB_STATE,
    run_at: made,
    send_after: `case when n % 2 = 0 then now() - interval '1 minute' else now() + interval '1 hour' end`,
    attempt: `case when n > rows - 200 then 0 else 1 end`,
    max_attempts: '5',
    type: `'mail-' || n % 20`,
    lease_ms: '60000',
    lease_token: `case when ${JOB_STATE} = 'running' then gen_random_uuid() end`,
    lease_until: `case when ${JOB_STATE} = 'running' then now() + (n % 3 - 1) * interval '1 minute' end`,
    // The sweep, every minute, has kept up: a few are due.
    finished_at: `case when ${JOB_STATE} in ('pending', 'running') then null
      else now() - interval '7 days' * 1.002 * (1 - n::float8 / rows) end`,
  },
  query_history: {
    kind: `'statement'`,
    key: `(n % 500)::text`,
    taken_at: `now() - interval '35 days' * (1 - n::float8 / rows)`,
  },
  job_lanes: { touched_at: `now() - interval '1 hour' * (1 - n::float8 / rows)` },
  uploads: {
    state: UPLOAD_STATE,
    size: '1000 + n % 100000',
    sha256: `md5(n::text) || md5(n::text)`,
    type: `'image/png'`,
    updated_at: `case when ${UPLOAD_STATE} in ('receiving', 'quarantined') then now() - interval '1 hour' * (n % 48)
      else ${made} end`,
    purged_at: `case when ${UPLOAD_STATE} in ('rejected', 'deleted') and n < rows * 0.999 then now() end`,
  },
}
