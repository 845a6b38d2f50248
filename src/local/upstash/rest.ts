import { binaryToBase64, fromBinary, toBinary } from './binary.ts'
import { CommandError, type Reply, Status } from './reply.ts'
import { ABORTED, type Backend, ServerUnavailable } from './store.ts'

/** Bytes of a request body that are read at most. */
const MAX_BODY: number = 10 * 1024 * 1024

// These hold a connection, or change what it means; a request has none.
const UNAVAILABLE: ReadonlySet<string> = new Set(
  (
    'multi exec discard watch unwatch subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe ' +
    'blpop brpop brpoplpush blmove blmpop bzpopmin bzpopmax bzmpop wait waitaof monitor select swapdb move auth hello ' +
    'reset quit client config shutdown debug sync psync replicaof slaveof failover cluster migrate acl module'
  ).split(' '),
)

/** A request that is answered before any command runs. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

type Encode = (binary: string) => string

/** JSON of a reply. Written by hand because integers may exceed what JSON.stringify can print. */
function toJson(reply: Reply, encode: Encode): string {
  if (reply === null) return 'null'
  if (typeof reply === 'number' || typeof reply === 'bigint') return String(reply)
  if (typeof reply === 'string') return JSON.stringify(encode(reply))
  if (reply instanceof Status) return JSON.stringify(encode(reply.text))
  if (reply instanceof CommandError) return JSON.stringify(encode(reply.message))
  return `[${reply.map((item) => toJson(item, encode)).join(',')}]`
}

function envelope(reply: Reply, encode: Encode): string {
  if (reply instanceof CommandError) return `{"error":${JSON.stringify(fromBinary(reply.message))}}`
  // A top-level OK is never encoded.
  if (reply instanceof Status && reply.text === 'OK') return '{"result":"OK"}'
  return `{"result":${toJson(reply, encode)}}`
}

function word(value: unknown): string {
  if (typeof value === 'string') return toBinary(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value instanceof RawNumber) return value.text
  throw new Refusal(400, 'ERR Invalid request: a command is an array of strings, numbers and booleans')
}

function command(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Refusal(400, 'ERR Invalid request: a command must be a JSON array')
  if (value.length === 0) throw new Refusal(400, 'ERR empty command')
  return value.map(word)
}

/** An integer too large for a double, as it was written. */
class RawNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

function parseJson(text: string): unknown {
  try {
    // Digits beyond 2^53 must not be rounded on their way to a 64-bit counter.
    if (!/\d{16}/.test(text)) return JSON.parse(text)
    return JSON.parse(text, (_key, value: unknown, ...rest: unknown[]) => {
      const source = (rest[0] as { source?: string } | undefined)?.source
      const unsafe = typeof value === 'number' && !Number.isSafeInteger(value)
      return unsafe && source !== undefined && /^-?\d+$/.test(source) ? new RawNumber(source) : value
    })
  } catch {
    throw new Refusal(400, 'ERR failed to parse the request body: it is not valid JSON')
  }
}

async function readBody(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (request.body) {
    const reader = request.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      size += value.byteLength
      // What is too much is read on, though not kept: a connection cut in the middle of a body hides the answer.
      if (size <= MAX_BODY) chunks.push(value)
      else if (size > MAX_BODY * 10) break
    }
    if (size > MAX_BODY) {
      await reader.cancel()
      throw new Refusal(413, `ERR max request size exceeded. Limit: ${MAX_BODY} bytes`)
    }
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** `/set/key/value?EX=10`: the path, then the body, then the query. */
async function fromPath(request: Request, url: URL): Promise<string[]> {
  let words: string[]
  try {
    words = url.pathname
      .slice(1)
      .split('/')
      .map((part) => toBinary(decodeURIComponent(part)))
  } catch {
    throw new Refusal(400, 'ERR the path is not valid percent-encoding')
  }
  const body = await readBody(request)
  if (body !== '') words.push(toBinary(body))
  for (const [name, value] of url.searchParams) {
    if (name === '_token') continue
    words.push(toBinary(name))
    if (value !== '') words.push(toBinary(value))
  }
  return words
}

/** What kind of request it is, and its commands. */
interface Parsed {
  readonly kind: 'single' | 'pipeline' | 'transaction'
  readonly commands: string[][]
}

async function parse(request: Request, url: URL): Promise<Parsed> {
  const posts = request.method === 'POST' || request.method === 'PUT'
  const many = url.pathname === '/pipeline' || url.pathname === '/multi-exec'
  if (posts && (url.pathname === '/' || many)) {
    const body = parseJson(await readBody(request))
    if (!many) return { kind: 'single', commands: [command(body)] }
    if (!Array.isArray(body)) throw new Refusal(400, 'ERR Invalid request: a pipeline must be a JSON array')
    if (body.length === 0) throw new Refusal(400, 'ERR empty pipeline')
    const kind = url.pathname === '/pipeline' ? 'pipeline' : 'transaction'
    return { kind, commands: body.map(command) }
  }
  if (!posts && request.method !== 'GET' && request.method !== 'HEAD') {
    throw new Refusal(405, `ERR method ${request.method} is not allowed`)
  }
  if (url.pathname === '/') throw new Refusal(400, 'ERR empty command')
  return { kind: 'single', commands: [await fromPath(request, url)] }
}

function unavailable(words: readonly string[]): CommandError | undefined {
  const name = (words[0] as string).toLowerCase()
  return UNAVAILABLE.has(name)
    ? new CommandError(`ERR Command is not available: '${(words[0] as string).toUpperCase()}'`)
    : undefined
}

async function run({ kind, commands }: Parsed, backend: Backend): Promise<Reply[]> {
  const refused = commands.map(unavailable)
  const allowed = commands.filter((_, i) => !refused[i])
  if (kind === 'transaction') {
    if (allowed.length < commands.length) {
      throw new CommandError(ABORTED)
    }
    return backend.execute(commands, true)
  }
  const replies = allowed.length > 0 ? await backend.execute(allowed, false) : []
  return refused.map((error) => error ?? (replies.shift() as Reply))
}

/** Speaks Upstash's REST protocol in front of a backend. */
export class RestFront {
  readonly #token: string
  readonly #backend: Backend
  readonly #instance: string = crypto.randomUUID().slice(0, 8)
  readonly #counters: Map<string, number>
  #requests = 0

  /** @param counters grows by one at `commands` and at each command's own name */
  constructor(token: string, backend: Backend, counters: Map<string, number>) {
    this.#token = token
    this.#backend = backend
    this.#counters = counters
  }

  async fetch(request: Request): Promise<Response> {
    const base64 = request.headers.get('upstash-encoding')?.toLowerCase() === 'base64'
    const encode = base64 ? binaryToBase64 : fromBinary
    try {
      const url = new URL(request.url)
      this.#authorize(request, url)
      const parsed = await parse(request, url)
      this.#count(parsed.commands)
      const replies = await run(parsed, this.#backend)
      if (parsed.kind === 'single') {
        const [reply] = replies as [Reply]
        return this.#respond(reply instanceof CommandError ? 400 : 200, envelope(reply, encode))
      }
      return this.#respond(200, `[${replies.map((reply) => envelope(reply, encode)).join(',')}]`)
    } catch (error) {
      if (error instanceof Refusal || error instanceof CommandError || error instanceof ServerUnavailable) {
        const status = error instanceof Refusal ? error.status : error instanceof CommandError ? 400 : 503
        return this.#respond(status, JSON.stringify({ error: fromBinary(error.message) }))
      }
      throw error
    }
  }

  #count(commands: readonly string[][]): void {
    for (const [name] of commands) {
      this.#add('commands')
      // Whatever is no word is not counted by itself: names come from outside, and the map must stay small.
      if (name !== undefined && /^[a-z_]{1,20}$/i.test(name)) this.#add(`command ${name.toUpperCase()}`)
    }
  }

  #add(counter: string): void {
    if (this.#counters.size > 500 && !this.#counters.has(counter)) return
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + 1)
  }

  #authorize(request: Request, url: URL): void {
    const header = request.headers.get('authorization')
    const bearer = header === null ? undefined : /^bearer +(.+)$/i.exec(header)?.[1]
    if ((bearer ?? url.searchParams.get('_token')) !== this.#token) {
      throw new Refusal(401, 'WRONGPASS invalid or missing auth token')
    }
  }

  #respond(status: number, body: string): Response {
    this.#requests++
    return new Response(body, {
      status,
      headers: {
        'content-type': 'application/json',
        'upstash-sync-token': `${this.#instance}=${this.#requests}`,
      },
    })
  }
}
