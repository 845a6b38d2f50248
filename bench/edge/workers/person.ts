import type { AuthDatabase, Row } from '../../../src/auth/database.ts'
import type { Revocations } from '../../../src/auth/revocations.ts'
import { formatToken, hashSecret } from '../../../src/auth/token.ts'

/** Who asks in these measurements. Both sides know the token; the worker hashes it as it does any other. */
const id = '0199f3c0-7c1e-7a55-9d2f-0a1b2c3d4e5f'
const userId = '0199f3c0-7c1e-7a55-9d2f-6a7b8c9d0e1f'
export const token = { id, secret: new Uint8Array(32).fill(7) }

/** The value of the session cookie. */
export const sessionCookie: string = `__Host-session=${formatToken(token)}`

/** A database that knows this one session, and answers at once. */
export const database: AuthDatabase = {
  async execute() {
    return { rows: [await row()] }
  },
  transaction: (work) => work(database),
}

let kept: Row | undefined

async function row(): Promise<Row> {
  const now = Date.now()
  kept ??= {
    id,
    user_id: userId,
    email: 'a@example.com',
    secret_hash: await hashSecret(token.secret),
    password_hash: null,
    created_at: now,
    authenticated_at: now,
    last_used_at: now,
    expires_at: now + 86_400_000,
    user_created_at: now,
    device: 'Firefox on Linux',
    country: 'NL',
    city: 'Delft',
    transport: 'cookie',
    methods: ['password'],
    roles: [],
    due: false,
  }
  return kept
}

const marks = new Set<string>()

/** Revocation marks in this isolate. */
export const revocations: Revocations = {
  async marked(user) {
    return marks.has(user)
  },
  async mark(user) {
    marks.add(user)
  },
}
