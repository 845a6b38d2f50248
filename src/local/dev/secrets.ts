import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** Secrets of a local stack: made once, kept in its state folder, worth nothing elsewhere. */
export interface LocalSecrets {
  readonly upstashToken: string
  readonly sessionSecret: string
  readonly opsToken: string
  readonly backupKey: string
  readonly mailKey: string
  /** The public key of the DSN. */
  readonly sentryKey: string
}

const MAKE: Record<keyof LocalSecrets, () => string> = {
  upstashToken: () => secret(),
  sessionSecret: () => secret(),
  opsToken: () => secret(),
  backupKey: () => secret(),
  mailKey: () => `re_${secret()}`,
  sentryKey: () => randomBytes(16).toString('hex'),
}

function secret(): string {
  return randomBytes(32).toString('base64url')
}

/** Reads the secrets of a state folder, making those that are missing. */
export function localSecrets(file: string): LocalSecrets {
  const stored = read(file)
  let made = false
  const secrets = Object.fromEntries(
    Object.entries(MAKE).map(([name, make]) => {
      const value = stored[name]
      if (typeof value === 'string' && value !== '') return [name, value]
      made = true
      return [name, make()]
    }),
  )
  if (made) {
    const temporary = `${file}.new`
    writeFileSync(temporary, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
    renameSync(temporary, file)
  }
  return secrets as unknown as LocalSecrets
}

function read(file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // Missing, or torn: new ones only end local sessions.
    return {}
  }
}
