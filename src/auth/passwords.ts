import { createGate, type Gate } from './hashers/gate.ts'
import type { PasswordHasher } from './hashers/hasher.ts'
import { phcId } from './hashers/phc.ts'
import { peppered, pepperFor, withoutPepperId, withPepperId } from './pepper.ts'

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
  /** Newest first. Default none. */
  readonly peppers?: readonly string[]
}

// One for the isolate, however many times an application builds its services.
const isolateGate = createGate({ running: 2, pending: 8 })

/** Makes the password service. */
export function createPasswords({ hashers, gate = isolateGate, peppers = [] }: PasswordsOptions): Passwords {
  const [current] = hashers
  const [pepper] = peppers
  return {
    async hash(password) {
      const mixed = await peppered(pepper, password)
      return withPepperId(pepper, await gate(() => current.hash(mixed)))
    },
    async verify(encoded, password) {
      const [phc, used] =
        encoded === undefined ? [] : [withoutPepperId(encoded), await pepperFor(peppers, encoded)]
      const mixed = await peppered(used === undefined ? pepper : used.pepper, password)
      return gate(async () => {
        const id = phc === undefined ? undefined : phcId(phc)
        const hasher = hashers.find((candidate) => candidate.id === id)
        // A pepper that is gone takes its passwords with it; that must cost as much as a wrong one.
        if (phc === undefined || hasher === undefined || used === undefined) {
          await current.verify(current.decoy, mixed)
          return { ok: false, rehash: false }
        }
        const ok = await hasher.verify(phc, mixed)
        const stale = hasher !== current || used.pepper !== pepper || current.needsRehash(phc)
        return { ok, rehash: ok && stale }
      })
    },
  }
}
