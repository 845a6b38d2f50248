import { readFileSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Entry, Keyspace, ValueType } from './keyspace.ts'
import { SortedSet } from './sorted-set.ts'

const FORMAT = 'breakwater-upstash-1'

type Row = [key: string, type: ValueType, value: unknown, expireAt: number | null]

function encode({ value }: Entry): unknown {
  if (value instanceof Map || value instanceof Set) return [...value]
  if (value instanceof SortedSet) return value.entries().map(({ member, score }) => [member, String(score)])
  return value
}

function strings(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new Error('not a list')
  return value
}

function pairs(value: unknown): [string, string][] {
  if (!Array.isArray(value)) throw new Error('not a list')
  return value.map((item) => {
    const [a, b, ...more] = strings(item)
    if (a === undefined || b === undefined || more.length > 0) throw new Error('not a pair')
    return [a, b]
  })
}

function restore(keys: Keyspace, row: unknown): void {
  if (!Array.isArray(row)) throw new Error('not a row')
  const [key, type, value, expires] = row as Row
  if (typeof key !== 'string' || !(expires === null || typeof expires === 'number'))
    throw new Error('not a row')
  const expireAt = expires ?? undefined
  switch (type) {
    case 'string':
      if (typeof value !== 'string') throw new Error('not a string')
      keys.put('string', key, value, expireAt)
      return
    case 'list':
      keys.put('list', key, strings(value), expireAt)
      return
    case 'set':
      keys.put('set', key, new Set(strings(value)), expireAt)
      return
    case 'hash':
      keys.put('hash', key, new Map(pairs(value)), expireAt)
      return
    case 'zset': {
      const set = new SortedSet()
      for (const [member, score] of pairs(value)) set.set(member, Number(score))
      keys.put('zset', key, set, expireAt)
      return
    }
    default:
      throw new Error('not a type')
  }
}

/**
 * Fills a keyspace from a snapshot; a file that is not there is an empty store.
 * @throws Error that names the file when it cannot be read as a snapshot
 */
export function readSnapshot(path: string, keys: Keyspace): void {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    const { format, rows } = JSON.parse(text) as { format?: unknown; rows?: unknown }
    if (format !== FORMAT || !Array.isArray(rows)) throw new Error('not a snapshot')
    for (const row of rows) restore(keys, row)
  } catch (cause) {
    throw new Error(
      `${path} is not a snapshot of the local Redis that this version can read. Start with --reset to begin anew, or put the file aside.`,
      { cause },
    )
  }
}

/** Writes a snapshot beside the old one, then puts it in its place: a crash leaves one or the other, whole. */
export async function writeSnapshot(path: string, keys: Keyspace): Promise<void> {
  const rows: Row[] = [...keys.live()].map(([key, entry]) => [
    key,
    entry.type,
    encode(entry),
    entry.expireAt ?? null,
  ])
  const text = JSON.stringify({ format: FORMAT, rows })
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${process.pid}.tmp`
  try {
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
