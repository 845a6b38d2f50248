/** Turns passwords into PHC strings and checks them. Implementations: `scrypt()`, `argon2id(module)`. */
export interface PasswordHasher {
  /** PHC identifier of the strings it makes and reads, such as `argon2id`. */
  readonly id: string
  /** A string with this hasher's parameters that no password matches. Checking it takes as long as a real one. */
  readonly decoy: string
  /** Hashes exactly the UTF-8 bytes of the password, with a new random salt. */
  hash(password: string): Promise<string>
  /** Whether the password is the one behind `encoded`. False for a string that is not of this hasher's kind. */
  verify(encoded: string, password: string): Promise<boolean>
  /** Whether `encoded` was made with weaker or other parameters than today's. */
  needsRehash(encoded: string): boolean
}

/** Bytes of salt in new hashes. */
export const SALT_BYTES = 16

/** Bytes of tag in new hashes. */
export const TAG_BYTES = 32
