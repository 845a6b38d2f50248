import { createGate, type Gate } from './hashers/gate.ts'
import type { PasswordHasher } from './hashers/hasher.ts'
import { phcId } from './hashers/phc.ts'

/** Hashes and checks passwords within the isolate's means. */
export interface Passwords {
  /** A PHC string of the current hasher. Throws `overloaded` when there is no room. */
  hash(password: string): Promise<string>
  /**
   * Checks a password. Without a stored hash it does the same work on a decoy and answers no, so that an
   * unknown account takes as long as a known one.
   */
  verify(
    encoded: string | undefined,
    password: string,
  ): Promise<{ readonly ok: boolean; readonly rehash: boolean }>
}

/** What {@link createPasswords} works with. */
export interface PasswordsOptions {
  /** The first makes new hashes; all of them read stored ones. */
  readonly hashers: readonly [PasswordHasher, ...PasswordHasher[]]
  readonly gate?: Gate
}

// One for the isolate, however many times an application builds its services.
const isolateGate = createGate({ running: 2, pending: 8 })

/** Makes the password service. */
export function createPasswords({ hashers, gate = isolateGate }: PasswordsOptions): Passwords {
  const [current] = hashers
  return {
    hash: (password) => gate(() => current.hash(password)),
    verify: (encoded, password) =>
      gate(async () => {
        const id = encoded === undefined ? undefined : phcId(encoded)
        const hasher = hashers.find((candidate) => candidate.id === id)
        if (encoded === undefined || hasher === undefined) {
          await current.verify(current.decoy, password)
          return { ok: false, rehash: false }
        }
        const ok = await hasher.verify(encoded, password)
        return { ok, rehash: ok && (hasher !== current || current.needsRehash(encoded)) }
      }),
  }
}
