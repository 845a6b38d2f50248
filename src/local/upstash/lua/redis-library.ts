import { createHash } from 'node:crypto'
import { CommandError, integerReply, type Reply, Status } from '../reply.ts'
import { formatG } from './numerals.ts'
import type { Runtime } from './runtime.ts'
import { LuaError, LuaTable, type LuaValue, listOf, recordOf } from './values.ts'

const MAX_DEPTH = 1000
const MAX_ITEMS = 1_000_000

/** Runs one command for a script. */
export type ScriptCall = (command: string[]) => Reply

/** A reply as a script sees it: nil becomes false, a status a table with `ok`, an error one with `err`. */
function toLua(reply: Reply): LuaValue {
  if (reply === null) return false
  if (typeof reply === 'string' || typeof reply === 'number') return reply
  if (typeof reply === 'bigint') return Number(reply)
  if (reply instanceof Status) return recordOf({ ok: reply.text })
  if (reply instanceof CommandError) return recordOf({ err: reply.message })
  return listOf(reply.map(toLua))
}

/** What a script returned as a reply: numbers lose their fraction, false becomes nil, a table ends at its first nil. */
export function fromLua(value: LuaValue): Reply {
  return convert(value, 0, { items: 0 })
}

function convert(value: LuaValue, depth: number, seen: { items: number }): Reply {
  // Two references of a table to itself would double at every depth.
  if (++seen.items > MAX_ITEMS || depth > MAX_DEPTH) throw new CommandError('ERR reached lua stack limit')
  if (typeof value === 'string') return value
  if (typeof value === 'number') {
    return integerReply(Number.isFinite(value) ? BigInt(Math.trunc(value)) : -(2n ** 63n))
  }
  if (value === true) return 1
  if (!(value instanceof LuaTable)) return null
  const error = value.get('err')
  if (typeof error === 'string') return new CommandError(oneLine(error))
  const status = value.get('ok')
  if (typeof status === 'string') return new Status(oneLine(status))
  const double = value.get('double')
  if (typeof double === 'number') return formatG(double, 17)
  const items: Reply[] = []
  for (let i = 1; ; i++) {
    const item = value.get(i)
    if (item === undefined) return items
    items.push(convert(item, depth + 1, seen))
  }
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ')
}

/** `redis.error_reply`: a text of one word gets the code ERR; otherwise its first word is the code. */
function errorReply(text: string): LuaTable {
  const message = text.startsWith('-') ? text.slice(1) : text
  return recordOf({ err: message.includes(' ') ? message : `ERR ${message}` })
}

/** The `redis` library. */
export function redisLibrary(runtime: Runtime, call: ScriptCall): LuaTable {
  const perform = (list: readonly LuaValue[]): Reply => {
    if (list.length === 0) {
      return new CommandError('ERR Please specify at least one argument for this redis lib call')
    }
    const command: string[] = []
    for (const value of list) {
      if (typeof value === 'string') command.push(value)
      else if (typeof value === 'number') command.push(formatG(value, 17))
      else return new CommandError('ERR Lua redis lib command arguments must be strings or integers')
    }
    runtime.charge(10)
    return call(command)
  }
  const single = (make: (text: string) => LuaTable) => (list: LuaValue[]) => {
    const [text] = list
    if (list.length !== 1 || typeof text !== 'string')
      return [errorReply('ERR wrong number or type of arguments')]
    return [make(text)]
  }
  const table = recordOf({
    call: (list) => {
      const reply = perform(list)
      if (reply instanceof CommandError) throw new LuaError(toLua(reply), runtime.line)
      return [toLua(reply)]
    },
    pcall: (list) => [toLua(perform(list))],
    error_reply: single(errorReply),
    status_reply: single((text) => recordOf({ ok: text })),
    sha1hex: (list) => {
      if (list.length !== 1) throw new LuaError(errorReply('ERR wrong number of arguments'), runtime.line)
      return [sha1(runtime.toText(list[0]))]
    },
    log: () => [],
    setresp: () => [],
    replicate_commands: () => [true],
    set_repl: () => [],
    breakpoint: () => [false],
    debug: () => [],
  })
  for (const [index, level] of ['DEBUG', 'VERBOSE', 'NOTICE', 'WARNING'].entries()) {
    table.set(`LOG_${level}`, index)
  }
  for (const [name, value] of Object.entries({ NONE: 0, AOF: 1, SLAVE: 2, REPLICA: 2, ALL: 3 })) {
    table.set(`REPL_${name}`, value)
  }
  table.set('REDIS_VERSION', '7.0.15')
  table.set('REDIS_VERSION_NUM', 0x0007000f)
  return table
}

/** SHA-1 of a binary string, in hexadecimal. */
export function sha1(binary: string): string {
  return createHash('sha1').update(Buffer.from(binary, 'latin1')).digest('hex')
}
