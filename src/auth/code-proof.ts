import { type SQL, sql } from 'drizzle-orm'
import type { AuthConfig } from './config.ts'
import { recoveryCodeHash } from './recovery-codes.ts'
import { unseal } from './sealing.ts'
import { isTotpCode, matchingStep } from './totp.ts'

/** One more part of a statement: its name and its body. */
export type Part = readonly [name: string, body: SQL]

/** A code that fits. It is spent by a statement only, which is how two who use it at once are told apart. */
export interface CodeProof {
  readonly method: 'totp' | 'recovery-code'
  /** Spends the code of the account `held`; gives a row when there was one to spend. */
  readonly spend: SQL
  /** Spends it by removing the factor. No statement can write one row twice, so spending and removing are one. */
  readonly remove: { readonly proof: SQL; readonly parts: readonly Part[] }
}

/** A person's authenticator app, as it is stored. */
export interface StoredFactor {
  readonly userId: string
  /** Null where there is none, and recovery codes stand beside passkeys alone. */
  readonly sealed: string | null
  readonly lastStep: number
}

const dropCodes: Part = [
  'old_codes',
  // Where passkeys remain, a right password is still not enough, and their owner may still lose them.
  sql`delete from breakwater.recovery_codes r using u
    where r.user_id = u.id and not exists (select from breakwater.passkeys p where p.user_id = u.id)`,
]
const dropFactor: Part = [
  'old_factor',
  sql`delete from breakwater.totp_factors f using u where f.user_id = u.id`,
]

/** What a code proves, if it fits: six digits of the app, or a recovery code. */
export async function codeProof(
  config: AuthConfig,
  factor: StoredFactor,
  code: string,
): Promise<CodeProof | undefined> {
  const digits = code.replaceAll(/\s/g, '')
  if (isTotpCode(digits)) {
    const secret = factor.sealed && (await unseal(config.secrets, factor.userId, factor.sealed))
    const step = secret ? await matchingStep(secret, digits, { after: factor.lastStep }) : undefined
    if (step === undefined) return undefined
    const fits = sql`f.user_id = held.id and f.confirmed_at is not null and f.last_step < ${step}::bigint
      returning f.user_id`
    return {
      method: 'totp',
      spend: sql`update breakwater.totp_factors f set last_step = ${step}::bigint from held where ${fits}`,
      remove: {
        proof: sql`delete from breakwater.totp_factors f using held where ${fits}`,
        parts: [dropCodes],
      },
    }
  }
  const hash = await recoveryCodeHash(code)
  if (hash === undefined) return undefined
  const spend = sql`delete from breakwater.recovery_codes r using held
    where r.user_id = held.id and r.code_hash = ${hash}::text returning r.user_id`
  return { method: 'recovery-code', spend, remove: { proof: spend, parts: [dropFactor, dropCodes] } }
}
