import type { Keyspace } from '../keyspace.ts'
import { integer, parseInt64 } from '../numbers.ts'
import { CommandError, ERRORS, type Reply } from '../reply.ts'
import { type CommandTable, reads, writes } from './types.ts'

const MAX_BITS = 4 * 1024 * 1024 * 1024

function bitOffset(text: string): number {
  const offset = parseInt64(text)
  if (offset === undefined || offset < 0n || offset >= MAX_BITS) {
    throw new CommandError('ERR bit offset is not an integer or out of range')
  }
  return Number(offset)
}

function bitAt(value: string, offset: number): number {
  const index = Math.floor(offset / 8)
  const byte = index < value.length ? value.charCodeAt(index) : 0
  return (byte >> (7 - (offset % 8))) & 1
}

function setBit(keys: Keyspace, args: string[]): Reply {
  const [key, at, text] = args as [string, string, string]
  const offset = bitOffset(at)
  if (text !== '0' && text !== '1') throw new CommandError('ERR bit is not an integer or out of range')
  const value = keys.get('string', key) ?? ''
  const index = Math.floor(offset / 8)
  const old = bitAt(value, offset)
  const padded = value.padEnd(index + 1, '\0')
  const mask = 1 << (7 - (offset % 8))
  const byte = text === '1' ? padded.charCodeAt(index) | mask : padded.charCodeAt(index) & ~mask
  keys.put(
    'string',
    key,
    padded.slice(0, index) + String.fromCharCode(byte) + padded.slice(index + 1),
    keys.find(key)?.expireAt,
  )
  return old
}

/** First and last bit of a range in bytes or bits; undefined when empty. */
function bitRange(value: string, start: number, end: number, inBits: boolean): [number, number] | undefined {
  const total = inBits ? value.length * 8 : value.length
  if (start < 0 && end < 0 && start > end) return undefined
  const from = Math.max(0, start < 0 ? start + total : start)
  const to = Math.min(Math.max(0, end < 0 ? end + total : end), total - 1)
  if (from > to) return undefined
  return inBits ? [from, to] : [from * 8, to * 8 + 7]
}

function inBits(word: string | undefined): boolean {
  const unit = word?.toUpperCase()
  if (unit !== undefined && unit !== 'BYTE' && unit !== 'BIT') throw new CommandError(ERRORS.syntax)
  return unit === 'BIT'
}

function bitCount(keys: Keyspace, args: string[]): Reply {
  const [key, start, end, unit] = args as [string, string?, string?, string?]
  if (args.length === 2 || args.length > 4) throw new CommandError(ERRORS.syntax)
  const bits = inBits(unit)
  const from = start === undefined ? 0 : integer(start)
  const to = end === undefined ? -1 : integer(end)
  const value = keys.get('string', key) ?? ''
  const range = value === '' ? undefined : bitRange(value, from, to, bits)
  if (!range) return 0
  let count = 0
  for (let i = range[0]; i <= range[1]; i++) count += bitAt(value, i)
  return count
}

function bitPosition(keys: Keyspace, args: string[]): Reply {
  const [key, bit, start, end, unit] = args as [string, string, string?, string?, string?]
  const wanted = integer(bit)
  if (wanted !== 0 && wanted !== 1) throw new CommandError('ERR The bit argument must be 1 or 0.')
  if (args.length > 5) throw new CommandError(ERRORS.syntax)
  const bits = inBits(unit)
  const from = start === undefined ? 0 : integer(start)
  const to = end === undefined ? -1 : integer(end)
  const value = keys.get('string', key)
  if (value === undefined) return wanted === 1 ? -1 : 0
  const range = bitRange(value, from, to, bits)
  if (!range) return -1
  for (let i = range[0]; i <= range[1]; i++) if (bitAt(value, i) === wanted) return i
  // Without an end the string counts as followed by zeros for ever.
  return wanted === 0 && end === undefined ? range[1] + 1 : -1
}

function bitOperation(keys: Keyspace, args: string[]): Reply {
  const [name, target, ...sources] = args as [string, string, ...string[]]
  const operation = name.toUpperCase()
  if (!/^(?:AND|OR|XOR|NOT)$/.test(operation)) throw new CommandError(ERRORS.syntax)
  if (operation === 'NOT' && sources.length !== 1) {
    throw new CommandError('ERR BITOP NOT must be called with a single source key.')
  }
  const values = sources.map((key) => keys.get('string', key) ?? '')
  const length = Math.max(...values.map((value) => value.length))
  let result = ''
  for (let i = 0; i < length; i++) {
    const bytes = values.map((value) => (i < value.length ? value.charCodeAt(i) : 0))
    const byte =
      operation === 'NOT'
        ? ~(bytes[0] as number)
        : bytes.reduce((a, b) => (operation === 'AND' ? a & b : operation === 'OR' ? a | b : a ^ b))
    result += String.fromCharCode(byte & 0xff)
  }
  if (length === 0) keys.remove(target)
  else keys.put('string', target, result)
  return length
}

/** Commands on the bits of strings. */
export const bits: CommandTable = {
  setbit: writes(4, setBit),
  getbit: reads(3, (keys, [key, at]) => {
    const offset = bitOffset(at as string)
    return bitAt(keys.get('string', key as string) ?? '', offset)
  }),
  bitcount: reads(-2, bitCount),
  bitpos: reads(-3, bitPosition),
  bitop: writes(-4, bitOperation),
}
