import { toBytes } from '../../core/bytes.ts'
import { timingSafeEqual } from '../../core/crypto.ts'
import { randomBytes } from '../../core/index.ts'
import { type PasswordHasher, SALT_BYTES, TAG_BYTES } from './hasher.ts'
import { formatPhc, type Phc, parsePhc } from './phc.ts'

/** Cost of {@link argon2id}. */
export interface Argon2idOptions {
  /** KiB of memory. Default 19456 (19 MiB). */
  readonly memory?: number
  /** Passes. Default 2. */
  readonly passes?: number
}

interface Cost {
  readonly memory: number
  readonly passes: number
  readonly lanes: number
}

/** The part of the reference implementation's C interface that is called here. */
interface Argon2Exports {
  readonly memory: WebAssembly.Memory
  _initialize?(): void
  malloc(size: number): number
  free(pointer: number): void
  argon2_hash(
    passes: number,
    memory: number,
    lanes: number,
    password: number,
    passwordLength: number,
    salt: number,
    saltLength: number,
    tag: number,
    tagLength: number,
    encoded: number,
    encodedLength: number,
    type: number,
    version: number,
  ): number
}

const TYPE_ID = 2
const VERSION = 0x13
// Half of an isolate's 128 MB.
const MAX_MEMORY = 65_536

function withinBounds({ memory, passes, lanes }: Cost): boolean {
  return (
    [memory, passes, lanes].every((n) => Number.isInteger(n) && n >= 1) &&
    memory >= 8 * lanes &&
    memory <= MAX_MEMORY &&
    passes <= 64 &&
    lanes <= 16
  )
}

function costOf(phc: Phc): Cost | undefined {
  const cost = {
    memory: phc.params.get('m') ?? 0,
    passes: phc.params.get('t') ?? 0,
    lanes: phc.params.get('p') ?? 0,
  }
  const ours = phc.id === 'argon2id' && phc.version === VERSION && phc.params.size === 3
  return ours && phc.salt.length >= 8 && withinBounds(cost) ? cost : undefined
}

/** Calls the module. Synchronous, so one instance (and its one memory) is never used twice at once. */
function run(
  wasm: Argon2Exports,
  password: string,
  salt: Uint8Array,
  length: number,
  cost: Cost,
): Uint8Array {
  // The length in bytes: a password of other letters than ASCII has more bytes than characters.
  const secret = toBytes(password)
  const size = secret.length + salt.length + length
  const at = wasm.malloc(size + 1)
  if (at === 0) throw new RangeError('argon2id: out of memory')
  try {
    const heap = new Uint8Array(wasm.memory.buffer)
    heap.set(secret, at)
    heap.set(salt, at + secret.length)
    const tag = at + secret.length + salt.length
    const code = wasm.argon2_hash(
      cost.passes,
      cost.memory,
      cost.lanes,
      at,
      secret.length,
      at + secret.length,
      salt.length,
      tag,
      length,
      0,
      0,
      TYPE_ID,
      VERSION,
    )
    if (code !== 0) throw new RangeError(`argon2id: the module answered ${code}`)
    // The memory may have grown, which detaches the earlier view.
    return new Uint8Array(wasm.memory.buffer).slice(tag, tag + length)
  } finally {
    new Uint8Array(wasm.memory.buffer).fill(0, at, at + size)
    wasm.free(at)
  }
}

/**
 * Argon2id (RFC 9106) over a WebAssembly build of the reference implementation. Workers forbid compiling
 * WebAssembly at run time, so the application imports the module and hands it in; any build serves that
 * imports nothing and exports `memory`, `malloc`, `free` and the reference's `argon2_hash`, such as
 * `@phi-ag/argon2/argon2.wasm` (11 KB gzipped). The default cost is OWASP's m=19456, t=2, p=1.
 * @throws TypeError when the module is no such build or the cost is out of bounds.
 * @example
 * import module from '@phi-ag/argon2/argon2.wasm'
 * const hasher = argon2id(module)
 */
export function argon2id(module: WebAssembly.Module, options: Argon2idOptions = {}): PasswordHasher {
  const cost: Cost = { memory: options.memory ?? 19_456, passes: options.passes ?? 2, lanes: 1 }
  if (!withinBounds(cost)) {
    throw new TypeError(`argon2id: memory is 8 to ${MAX_MEMORY} KiB and passes 1 to 64, in whole numbers`)
  }
  const names = new Set(WebAssembly.Module.exports(module).map((e) => e.name))
  if (['memory', 'malloc', 'free', 'argon2_hash'].some((name) => !names.has(name))) {
    throw new TypeError('argon2id: the module does not export memory, malloc, free and argon2_hash')
  }

  let instance: Argon2Exports | undefined
  const compute = (password: string, salt: Uint8Array, length: number, at: Cost) => {
    if (instance === undefined) {
      instance = new WebAssembly.Instance(module, {}).exports as unknown as Argon2Exports
      instance._initialize?.()
    }
    try {
      return run(instance, password, salt, length, at)
    } catch (error) {
      // A trapped instance is in no known state.
      instance = undefined
      throw error
    }
  }
  const encode = (salt: Uint8Array<ArrayBuffer>, hash: Uint8Array) =>
    formatPhc({
      id: 'argon2id',
      version: VERSION,
      params: new Map([
        ['m', cost.memory],
        ['t', cost.passes],
        ['p', cost.lanes],
      ]),
      salt,
      hash: new Uint8Array(hash),
    })

  return {
    id: 'argon2id',
    decoy: encode(new Uint8Array(SALT_BYTES), new Uint8Array(TAG_BYTES)),
    async hash(password) {
      const salt = randomBytes(SALT_BYTES)
      return encode(salt, compute(password, salt, TAG_BYTES, cost))
    },
    async verify(encoded, password) {
      const phc = parsePhc(encoded)
      const stored = phc && costOf(phc)
      if (phc === undefined || stored === undefined || phc.hash.length < 16) return false
      return timingSafeEqual(compute(password, phc.salt, phc.hash.length, stored), phc.hash)
    },
    needsRehash(encoded) {
      const phc = parsePhc(encoded)
      const stored = phc && costOf(phc)
      return stored === undefined || stored.memory !== cost.memory || stored.passes !== cost.passes
    },
  }
}
