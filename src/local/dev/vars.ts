import { writeFileSync } from 'node:fs'
import type { LocalSecrets } from './secrets.ts'

/** Where the parts of a local stack are, for the worker's variables. */
export interface Places {
  /** Origin that browsers use. */
  readonly worker: string
  readonly database: string
  readonly neon: string
  readonly upstash: string
  readonly sentry: string
  readonly mail: string
}

/** The worker's variables: what may be seen and what may not. */
export interface WorkerVars {
  readonly plain: Readonly<Record<string, string>>
  readonly secret: Readonly<Record<string, string>>
}

/** What a worker is given to run on local stand-ins. */
export function workerVars(places: Places, secrets: LocalSecrets): WorkerVars {
  const dsn = new URL(places.sentry)
  dsn.username = secrets.sentryKey
  dsn.pathname = '/1'
  return {
    plain: {
      ENVIRONMENT: 'development',
      APP_ORIGIN: places.worker,
      NEON_ENDPOINT: places.neon,
      MAIL_ENDPOINT: places.mail,
      MAIL_FROM: 'Breakwater <hello@breakwater.localhost>',
      UPSTASH_REDIS_REST_URL: places.upstash,
      SENTRY_DSN: dsn.href,
    },
    secret: {
      DATABASE_URL: places.database,
      UPSTASH_REDIS_REST_TOKEN: secrets.upstashToken,
      SESSION_SECRET: secrets.sessionSecret,
      RESEND_API_KEY: secrets.mailKey,
      OPS_TOKEN: secrets.opsToken,
      BACKUP_KEY: secrets.backupKey,
    },
  }
}

/** Writes variables as an env file that only this user may read. */
export function writeEnvFile(file: string, vars: Readonly<Record<string, string>>): void {
  const lines = Object.entries(vars).map(([name, value]) => `${name}=${quote(value)}\n`)
  writeFileSync(file, lines.join(''), { mode: 0o600 })
}

/** Quotes that dotenv takes literally. */
function quote(value: string): string {
  const mark = ["'", '`', '"'].find((one) => !value.includes(one))
  if (mark === undefined || /[\r\n]/.test(value))
    throw new TypeError('A variable cannot be written to an env file')
  return `${mark}${value}${mark}`
}
