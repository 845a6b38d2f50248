import { scrypt as derive } from 'node:crypto'
import { toBytes } from '../../core/bytes.ts'
import { timingSafeEqual } from '../../core/crypto.ts'
import { randomBytes } from '../../core/index.ts'
import { type PasswordHasher, SALT_BYTES, TAG_BYTES } from './hasher.ts'
import { formatPhc, type Phc, parsePhc } from './phc.ts'

/** Cost of {@link scrypt}. */
export interface ScryptOptions {
  /** Binary logarithm of N. Default 15. Memory is 2^logN · r · 128 bytes. */
  readonly logN?: number
  /** Block size. Default 8. */
  readonly r?: number
  /** Parallelism, which here means more work in the same memory. Default 3. */
  readonly p?: number
}

// workerd refuses more than this; a stored string that asks for more is not ours.
const MAX_WORK = 2 ** 20

interface Cost {
  readonly logN: number
  readonly r: number
  readonly p: number
}

function withinBounds({ logN, r, p }: Cost): boolean {
  return (
    [logN, r, p].every((n) => Number.isInteger(n) && n >= 1) && logN <= 20 && 2 ** logN * r * p <= MAX_WORK
  )
}

function costOf(phc: Phc): Cost | undefined {
  const cost = { logN: phc.params.get('ln') ?? 0, r: phc.params.get('r') ?? 0, p: phc.params.get('p') ?? 0 }
  return phc.id === 'scrypt' && phc.params.size === 3 && withinBounds(cost) ? cost : undefined
}

function run(
  password: string,
  salt: Uint8Array,
  length: number,
  cost: Cost,
): Promise<Uint8Array<ArrayBuffer>> {
  const N = 2 ** cost.logN
  return new Promise((resolve, reject) => {
    const options = { N, r: cost.r, p: cost.p, maxmem: 128 * cost.r * (N + cost.p + 4) }
    derive(toBytes(password), salt, length, options, (error, key) =>
      error ? reject(error) : resolve(new Uint8Array(key)),
    )
  })
}

/**
 * scrypt (RFC 7914), native in workerd and Node. The default is OWASP's N=2^15, r=8, p=3: 32 MiB, which leaves
 * room in an isolate's 128 MB; OWASP's single-pass N=2^17 would fill the isolate by itself.
 * @throws TypeError when the cost is out of workerd's bounds (N·r·p ≤ 2^20).
 */
export function scrypt(options: ScryptOptions = {}): PasswordHasher {
  const cost: Cost = { logN: options.logN ?? 15, r: options.r ?? 8, p: options.p ?? 3 }
  if (!withinBounds(cost)) {
    throw new TypeError('scrypt: logN, r and p are whole numbers from 1, and 2^logN · r · p at most 2^20')
  }
  const encode = (salt: Uint8Array<ArrayBuffer>, hash: Uint8Array<ArrayBuffer>) =>
    formatPhc({
      id: 'scrypt',
      params: new Map([
        ['ln', cost.logN],
        ['r', cost.r],
        ['p', cost.p],
      ]),
      salt,
      hash,
    })

  return {
    id: 'scrypt',
    decoy: encode(new Uint8Array(SALT_BYTES), new Uint8Array(TAG_BYTES)),
    async hash(password) {
      const salt = randomBytes(SALT_BYTES)
      return encode(salt, await run(password, salt, TAG_BYTES, cost))
    },
    async verify(encoded, password) {
      const phc = parsePhc(encoded)
      const stored = phc && costOf(phc)
      if (phc === undefined || stored === undefined || phc.hash.length < 16) return false
      return timingSafeEqual(await run(password, phc.salt, phc.hash.length, stored), phc.hash)
    },
    needsRehash(encoded) {
      const phc = parsePhc(encoded)
      const stored = phc && costOf(phc)
      return stored === undefined || stored.logN !== cost.logN || stored.r !== cost.r || stored.p !== cost.p
    },
  }
}
