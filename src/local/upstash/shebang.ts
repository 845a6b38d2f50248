import { CommandError } from './reply.ts'

/** A script without its first line, and what that line said. */
export interface Shebang {
  /** The Lua source. The line itself is blanked, so that lines keep their numbers. */
  readonly body: string
  readonly readOnly: boolean
  /** The source for a real Redis: without the flag that only Upstash knows. */
  readonly portable: string
}

const KNOWN: ReadonlySet<string> = new Set([
  'no-writes',
  'allow-oom',
  'allow-stale',
  'no-cluster',
  'allow-cross-slot-keys',
])

// Upstash's own: says that keys may be locked one by one. A single process needs no such thing.
const UPSTASH_FLAG = 'allow-key-locking'

/** Reads `#!lua flags=…`. Throws what Redis answers to a line it does not understand. */
export function readShebang(source: string): Shebang {
  if (!source.startsWith('#!')) return { body: source, readOnly: false, portable: source }
  const end = source.indexOf('\n')
  if (end < 0) throw new CommandError('ERR Invalid script shebang')
  const [engine, ...words] = source.slice(0, end).trim().split(/\s+/)
  if (engine !== '#!lua') throw new CommandError(`ERR Unexpected engine in script shebang: ${engine}`)
  const flags: string[] = []
  for (const word of words) {
    if (!word.startsWith('flags=')) throw new CommandError(`ERR Unknown lua shebang option: ${word}`)
    for (const flag of word.slice('flags='.length).split(',')) {
      if (flag === '' || flag === UPSTASH_FLAG) continue
      if (!KNOWN.has(flag)) throw new CommandError(`ERR Unexpected flag in script shebang: ${flag}`)
      flags.push(flag)
    }
  }
  const body = source.slice(end)
  return {
    body,
    readOnly: flags.includes('no-writes'),
    portable: flags.length === 0 ? body : `#!lua flags=${flags.join(',')}${body}`,
  }
}
