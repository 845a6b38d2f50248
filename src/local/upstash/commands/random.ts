import { CommandError } from '../reply.ts'

/**
 * Random items: `count` distinct ones, or, when it is negative, that many with repeats. Not for secrets.
 */
export function pick<T>(items: readonly T[], count: number): T[] {
  if (!Number.isSafeInteger(count)) throw new CommandError('ERR value is out of range')
  if (items.length === 0) return []
  if (count < 0)
    return Array.from({ length: -count }, () => items[Math.floor(Math.random() * items.length)] as T)
  const pool = [...items]
  const wanted = Math.min(count, pool.length)
  for (let i = 0; i < wanted; i++) {
    const j = i + Math.floor(Math.random() * (pool.length - i))
    ;[pool[i], pool[j]] = [pool[j] as T, pool[i] as T]
  }
  return pool.slice(0, wanted)
}
