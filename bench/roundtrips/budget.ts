/** Round trips that a flow may take before its answer. */
export interface Budget {
  readonly redis: number
  readonly postgres: number
}

/**
 * The budget. Every request through the worker is rate-limited, which is the one to Redis: limits and the revocation
 * check travel together. Lower them, never raise them lightly.
 */
export const budget = {
  'GET, warm': { redis: 1, postgres: 0 },
  // Redis and Postgres are asked at the same time.
  'GET, cold': { redis: 1, postgres: 1 },
  'sign in': { redis: 1, postgres: 2 },
  'create an upload': { redis: 1, postgres: 1 },
  'change password': { redis: 1, postgres: 2 },
  'revoke a session': { redis: 1, postgres: 1 },
  'sign out': { redis: 1, postgres: 1 },
  // Inside the worker, by whatever handler: no request of its own.
  'enqueue a job': { redis: 0, postgres: 1 },
} as const satisfies Readonly<Record<string, Budget>>

/** The flows that have a budget. */
export type Flow = keyof typeof budget
