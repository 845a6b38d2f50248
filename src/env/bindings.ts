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
  | 'images'

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
  /** Cloudflare Images: makes pictures of pictures. */
  images(): Binding<ImagesBinding>
}

// Kind, table in wrangler.toml, and the member by which it is told from those that follow.
const KINDS = `r2 [[r2_buckets]] head
queue [[queues.producers]] sendBatch
kv [[kv_namespaces]] getWithMetadata
durableObject [[durable_objects.bindings]] idFromName
hyperdrive [[hyperdrive]] connectionString
rateLimiter [[ratelimits]] limit
d1 [[d1_databases]] prepare
images [images] input
versionMetadata [version_metadata] timestamp
secretsStore [[secrets_store_secrets]] get
assets [assets] fetch
service [[services]] fetch`
  .split('\n')
  .map((line) => line.split(' ') as [kind: BindingKind, toml: string, member: string])

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
export const bindings: BindingVocabulary = Object.fromEntries(
  KINDS.map(([kind]) => [kind, () => declare(kind, false)]),
) as unknown as BindingVocabulary

/** The lines of wrangler.toml that make a binding; values that only the account knows are left out. */
export function bindingStanza(name: string, kind: BindingKind): string {
  const toml = KINDS.find((row) => row[0] === kind)?.[1] ?? ''
  return `${toml} ${/durable|ratel/.test(toml) ? 'name' : 'binding'} = "${name}"`
}

/** What is wrong with a binding, in words that continue its name; undefined when it is right. */
export function bindingFault(value: unknown, kind: BindingKind): string | undefined {
  if (value === undefined || value === null) return 'is not bound'
  const has = (member: string): boolean => (value as Record<string, unknown>)[member] !== undefined
  // A stub of another Worker answers to every name, since any could be an RPC method. Static assets are such a
  // stub, and while developing the Secrets Store is one too.
  const found = has('breakwater:none') ? 'service' : KINDS.find((row) => has(row[2]))?.[0]
  if (found === kind || (found === 'service' && /assets|secretsStore/.test(kind))) return undefined
  if (found === 'assets' && kind === 'service') return undefined
  return `is ${found ?? typeof value}, not ${kind}`
}
