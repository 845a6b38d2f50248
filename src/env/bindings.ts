/** The kinds of binding that can be declared. */
export type BindingKind =
  | 'r2'
  | 'queue'
  | 'kv'
  | 'durableObject'
  | 'hyperdrive'
  | 'rateLimiter'
  | 'assets'
  | 'secretsStore'
  | 'versionMetadata'
  | 'service'
  | 'd1'

/** A declared binding; `T` is what the Worker gets. */
export interface Binding<T> {
  readonly kind: BindingKind
  /** Whether it may be left out. */
  readonly isOptional: boolean
  /** Never there at run time: carries the type. */
  readonly type?: T
  /** The same, but it may be left out. */
  optional(): Binding<T | undefined>
}

/** The declarations of bindings, by kind. */
export interface BindingVocabulary {
  /** An R2 bucket. */
  r2(): Binding<R2Bucket>
  /** The producing side of a queue; `Body` is what is sent. */
  queue<Body = unknown>(): Binding<Queue<Body>>
  /** A Workers KV namespace. */
  kv<Key extends string = string>(): Binding<KVNamespace<Key>>
  /** A Durable Object namespace; `T` is the class, where it has RPC methods. */
  durableObject<T extends Rpc.DurableObjectBranded | undefined = undefined>(): Binding<
    DurableObjectNamespace<T>
  >
  /** A Hyperdrive configuration. */
  hyperdrive(): Binding<Hyperdrive>
  /** A native rate limiter. */
  rateLimiter(): Binding<RateLimit>
  /** The Worker's static assets. */
  assets(): Binding<Fetcher>
  /** A secret of the account's Secrets Store. */
  secretsStore(): Binding<SecretsStoreSecret>
  /** The deployed version's id, tag and time. */
  versionMetadata(): Binding<WorkerVersionMetadata>
  /** Another Worker; `T` is its entry point class, where it has RPC methods. */
  service<T extends Rpc.WorkerEntrypointBranded | undefined = undefined>(): Binding<Fetcher<T>>
  /** A D1 database. */
  d1(): Binding<D1Database>
}

/** What a kind is called, its place in wrangler.toml, and the members by which it is told from the others. */
export const bindingKinds: Readonly<
  Record<BindingKind, readonly [name: string, toml: string, ...members: string[]]>
> = {
  r2: ['R2 bucket', '[[r2_buckets]]', 'head', 'createMultipartUpload'],
  queue: ['queue', '[[queues.producers]]', 'send', 'sendBatch'],
  kv: ['KV namespace', '[[kv_namespaces]]', 'getWithMetadata', 'put'],
  durableObject: ['Durable Object namespace', '[[durable_objects.bindings]]', 'idFromName', 'newUniqueId'],
  hyperdrive: ['Hyperdrive configuration', '[[hyperdrive]]', 'connectionString'],
  rateLimiter: ['rate limiter', '[[ratelimits]]', 'limit'],
  assets: ['static assets binding', '[assets]', 'fetch'],
  secretsStore: ['Secrets Store secret', '[[secrets_store_secrets]]', 'get', '!put'],
  versionMetadata: ['version metadata binding', '[version_metadata]', 'id', 'timestamp'],
  service: ['service binding', '[[services]]', 'fetch'],
  d1: ['D1 database', '[[d1_databases]]', 'prepare', 'batch'],
}

function declare(kind: BindingKind, isOptional: boolean): Binding<unknown> {
  return { kind, isOptional, optional: () => declare(kind, true) }
}

/**
 * Declares the bindings a Worker needs.
 *
 * @example
 * ```ts
 * bindings: { UPLOADS: bindings.r2(), JOBS: bindings.queue<JobMessage>(), CACHE: bindings.kv().optional() }
 * ```
 */
export const bindings: BindingVocabulary = /* @__PURE__ */ Object.fromEntries(
  /* @__PURE__ */ Object.keys(bindingKinds).map((kind) => [kind, () => declare(kind as BindingKind, false)]),
) as unknown as BindingVocabulary

/** Whether a value has the members of a kind of binding. */
function isKind(value: object, kind: BindingKind): boolean {
  const get = (member: string): unknown => (value as Record<string, unknown>)[member]
  const [, , ...members] = bindingKinds[kind]
  // A stub of another Worker answers to every name, since any could be an RPC method.
  if (!members.includes('fetch') && typeof get('breakwater:none') === 'function') return false
  return members.every((member) =>
    member.startsWith('!') ? get(member.slice(1)) === undefined : get(member) !== undefined,
  )
}

/** What is wrong with a binding, in words that continue its name; undefined when it is right. */
export function bindingFault(value: unknown, kind: BindingKind): string | undefined {
  const [name] = bindingKinds[kind]
  if (value === undefined || value === null) return 'is not bound'
  if (typeof value !== 'object' && typeof value !== 'function') return `is a ${typeof value}, not a ${name}`
  if (isKind(value, kind)) return undefined
  const other = (Object.keys(bindingKinds) as BindingKind[]).find((candidate) => isKind(value, candidate))
  return other ? `is a ${bindingKinds[other][0]}, not a ${name}` : `is not a ${name}`
}
