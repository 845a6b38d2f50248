/** What something may weigh, gzipped, in kilobytes of 1,000 bytes. */
export interface Limit {
  /** What is aimed at. */
  readonly goal: number
  /** What the gate holds it to while the goal is not reached, so that it cannot creep: lower it, never raise it. */
  readonly gate?: number
}

/** Own code of each subpath: this repository's, dependencies and peers apart. */
export const ownLimits: Readonly<Record<string, Limit>> = {
  core: { goal: 6, gate: 6.5 },
  env: { goal: 3, gate: 5.5 },
  'rate-limit': { goal: 8, gate: 10.5 },
  auth: { goal: 30 },
  'auth/passkeys': { goal: 16 },
  'auth/openid': { goal: 16 },
}

/** A subpath with everything it brings along, `hono` apart: what it adds to an app. */
export const wholeLimits: Readonly<Record<string, Limit>> = {
  capture: { goal: 25, gate: 18.5 },
}

/** The reference worker whole, database driver included. */
export const workerLimit: Limit = { goal: 160, gate: 248 }

/** Every middleware of the reference worker in one app, `hono` included, without the database's packages. */
export const middlewareLimit: Limit = { goal: 60 }
