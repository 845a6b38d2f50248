import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { createUpstashApp } from '../../../src/local/upstash/index.ts'
import { COMMANDS } from './command-table.ts'
import { randomCommands } from './random-commands.ts'
import { SCRIPTS } from './scripts.ts'

/** A command that the two answered differently. */
interface Difference {
  readonly command: string
  readonly embedded: string
  readonly real: string
}

/** What a comparison found. */
export interface Comparison {
  /** Commands compared. */
  readonly compared: number
  readonly differing: Difference[]
}

/** A real Redis server, started for a test. */
export interface RealRedis {
  readonly url: string
  stop(): Promise<void>
}

/** Starts a `redis-server`, on a free port unless one is given; undefined where there is none. */
export async function startRedis(wanted?: number): Promise<RealRedis | undefined> {
  const path: string = process.env['PATH'] ?? ''
  const binary = path
    .split(delimiter)
    .map((folder) => join(folder, 'redis-server'))
    .find((file) => existsSync(file))
  if (binary === undefined) return undefined
  const port = wanted ?? (await freePort())
  const server = spawn(
    binary,
    ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', '/tmp'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  await new Promise<void>((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`redis-server ended with code ${code}`)))
    server.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve()
    })
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.removeAllListeners('exit').once('exit', () => resolve())
        server.kill('SIGKILL')
      }),
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

type Answer = unknown
type Ask = (path: string, body: unknown) => Promise<Answer>

function client(app: ReturnType<typeof createUpstashApp>): Ask {
  return async (path, body) => {
    const response = await app.fetch(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { authorization: 'Bearer token', 'upstash-encoding': 'base64' },
        body: JSON.stringify(body),
      }),
    )
    const answer = (await response.json()) as Answer
    return path === '/' ? { status: response.status, answer } : answer
  }
}

const UNORDERED = new Set([
  'smembers',
  'sinter',
  'sunion',
  'sdiff',
  'hkeys',
  'hvals',
  'keys',
  'spop',
  'srandmember',
])
const PAIRS = new Set(['hgetall'])
const SCANS = new Set(['scan', 'sscan'])
const SCANS_OF_PAIRS = new Set(['hscan'])

function sorted(value: unknown, step: 1 | 2): unknown {
  if (!Array.isArray(value)) return value
  const groups: string[] = []
  for (let i = 0; i < value.length; i += step) groups.push(JSON.stringify(value.slice(i, i + step)))
  return groups.sort()
}

/** Puts unordered replies in order; nothing else is changed. */
function normalise(name: string, envelope: unknown): unknown {
  const { result, ...rest } = envelope as { result?: unknown }
  if (result === undefined) return envelope
  if (UNORDERED.has(name)) return { ...rest, result: sorted(result, 1) }
  if (PAIRS.has(name)) return { ...rest, result: sorted(result, 2) }
  if ((SCANS.has(name) || SCANS_OF_PAIRS.has(name)) && Array.isArray(result)) {
    return { ...rest, result: [result[0], sorted(result[1], SCANS.has(name) ? 1 : 2)] }
  }
  return envelope
}

/** Whether two times are the same but for the moment they were asked at. */
function sameTime(a: unknown, b: unknown): boolean {
  const left = (a as { result?: unknown }).result
  const right = (b as { result?: unknown }).result
  return typeof left === 'number' && typeof right === 'number' && left > 0 && Math.abs(left - right) <= 1500
}

/** Splits a line as `redis-cli` does. */
function words(line: string): string[] {
  const found = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
  return found.map((word) =>
    word.startsWith('"')
      ? word
          .slice(1, -1)
          .replace(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) =>
            code.length === 3
              ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
              : code === 'n'
                ? '\n'
                : code,
          )
      : word,
  )
}

/** Runs everything against both and collects the differences. */
class Compare {
  compared = 0
  readonly differing: Difference[] = []
  readonly #embedded: Ask
  readonly #real: Ask

  constructor(embedded: Ask, real: Ask) {
    this.#embedded = embedded
    this.#real = real
  }

  async one(command: readonly string[], time = false): Promise<void> {
    const [mine, theirs] = await Promise.all([
      this.#embedded('/pipeline', [command]),
      this.#real('/pipeline', [command]),
    ])
    this.#note(command, (mine as unknown[])[0], (theirs as unknown[])[0], time)
  }

  async transaction(commands: readonly (readonly string[])[]): Promise<void> {
    const [mine, theirs] = await Promise.all([
      this.#embedded('/multi-exec', commands),
      this.#real('/multi-exec', commands),
    ])
    this.#note(['multi-exec', JSON.stringify(commands)], mine, theirs, false)
  }

  async reset(): Promise<void> {
    await Promise.all([this.#embedded('/', ['FLUSHALL']), this.#real('/', ['FLUSHALL'])])
  }

  #note(command: readonly string[], mine: unknown, theirs: unknown, time: boolean): void {
    this.compared++
    if (time && sameTime(mine, theirs)) return
    const name = (command[0] as string).toLowerCase()
    const embedded = JSON.stringify(normalise(name, mine))
    const real = JSON.stringify(normalise(name, theirs))
    if (embedded !== real) {
      this.differing.push({ command: command.join(' '), embedded: readable(embedded), real: readable(real) })
    }
  }
}

/** Shows base64 as text where it is text. */
function readable(json: string): string {
  return json.replace(/"([A-Za-z0-9+/]{4,}={0,2})"/g, (all, text: string) => {
    const plain = Buffer.from(text, 'base64').toString('latin1')
    return /^[\x20-\x7e]*$/.test(plain) ? `"${plain}"` : all
  })
}

const TRANSACTIONS: readonly (readonly (readonly string[])[])[] = [
  [
    ['SET', 't', '1'],
    ['INCR', 't'],
    ['GET', 't'],
  ],
  [
    ['SET', 't', 'x'],
    ['INCR', 't'],
    ['SET', 't', 'y'],
  ],
  [['SET', 't', 'z'], ['NOPE'], ['GET', 't']],
  [['SET', 't', 'z'], ['GET'], ['GET', 't']],
  [['GET', 't']],
  [
    ['EVAL', 'return {1,"x"}', '0'],
    ['EVAL', 'return redis.call("incr","t")', '0'],
  ],
  [
    ['HSET', 'h', 'a', '1'],
    ['HGETALL', 'h'],
    ['LPUSH', 'h', 'x'],
  ],
]

/**
 * Compares the embedded store with a real server, both behind the REST front: a table of commands, scripts,
 * transactions, and random sequences from a seed.
 */
export async function compare(
  redisUrl: string,
  options: { readonly seed?: number; readonly random?: number } = {},
): Promise<Comparison> {
  const embedded = createUpstashApp({ token: 'token' })
  const real = createUpstashApp({ token: 'token', redisUrl })
  const both = new Compare(client(embedded), client(real))
  try {
    for (const line of COMMANDS.split('\n')) {
      if (line.startsWith('##')) await both.reset()
      else if (line !== '') await both.one(words(line.replace(/^~/, '')), line.startsWith('~'))
    }
    await both.reset()
    for (const [source, keys = [], args = []] of SCRIPTS) {
      await both.one(['EVAL', source, String(keys.length), ...keys, ...args])
    }
    for (const line of scriptCommands) await both.one(line)
    await both.reset()
    for (const commands of TRANSACTIONS) await both.transaction(commands)
    await both.reset()
    for (const command of randomCommands(options.seed ?? 1, options.random ?? 3000)) await both.one(command)
  } finally {
    await Promise.all([embedded.close?.(), real.close?.()])
  }
  return { compared: both.compared, differing: both.differing }
}

const KNOWN = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'
const scriptCommands: readonly (readonly string[])[] = [
  ['SCRIPT', 'FLUSH'],
  ['EVALSHA', KNOWN, '0'],
  ['SCRIPT', 'EXISTS', KNOWN],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['SCRIPT', 'EXISTS', KNOWN, 'nope'],
  ['EVALSHA', KNOWN, '0'],
  ['EVALSHA', KNOWN.toUpperCase(), '0'],
  ['EVALSHA_RO', KNOWN, '0'],
  ['EVALSHA', 'abc', '0'],
  ['EVALSHA', KNOWN],
  ['EVALSHA', KNOWN, 'x'],
  ['EVALSHA', KNOWN, '-1'],
  ['EVALSHA', KNOWN, '2', 'a'],
  ['EVAL', 'return 1'],
  ['EVAL', 'return 1', 'abc'],
  ['EVAL', 'return 1', '-1'],
  ['EVAL', 'return 1', '1'],
  ['EVAL'],
  ['EVAL_RO', 'return redis.call("GET","k")', '0'],
  ['EVAL_RO', 'return redis.call("SET","k","v")', '0'],
  ['EVAL_RO', 'return redis.pcall("DEL","k")', '0'],
  ['SCRIPT', 'LOAD', 'x x'],
  ['SCRIPT', 'LOAD', '#!lua flags=allow-key-locking\nreturn KEYS[1]'],
  ['EVALSHA', '7d3d2a03d5b4c5a4a8aa0f8ba2e3b3e1a7f1c5a1', '0'],
  ['SCRIPT', 'FLUSH', 'NOPE'],
  ['SCRIPT', 'FLUSH', 'SYNC'],
  ['SCRIPT', 'EXISTS', KNOWN],
  ['SCRIPT', 'KILL'],
  ['EVALSHA', KNOWN, '0'],
]
