import { createRequire } from 'node:module'
import type { UpstashClient } from 'breakwater/rate-limit'

// fengari ships no types; this is all that is used of it.
interface Lua {
  lua: Record<string, (...args: unknown[]) => unknown> & { LUA_OK: number }
  lauxlib: Record<string, (...args: unknown[]) => unknown>
  lualib: Record<string, (...args: unknown[]) => unknown>
  to_luastring(text: string): Uint8Array
  to_jsstring(bytes: Uint8Array): string
}
const { lua, lauxlib, lualib, to_luastring, to_jsstring } = createRequire(import.meta.url)('fengari') as Lua

/** A Redis that knows TIME, MGET, SET PX, DEL and Lua, on a clock that the test moves. */
export class LuaRedis implements UpstashClient {
  /** Microseconds since the epoch. */
  us: number
  readonly data = new Map<string, { value: string; expires: number }>()
  readonly commands: string[][] = []
  readonly #scripts = new Set<string>()
  readonly #strict: boolean

  /** @param strict refuse the first line's flag, as plain Redis does. */
  constructor(us: number, strict = false) {
    this.us = us
    this.#strict = strict
  }

  #call(args: string[]): unknown {
    this.commands.push(args)
    const [command, ...rest] = args as [string, ...string[]]
    const nowMs = this.us / 1000
    const get = (key: string) => {
      const entry = this.data.get(key)
      return entry && entry.expires > nowMs ? entry.value : false
    }
    if (command === 'TIME') return [String(Math.floor(this.us / 1e6)), String(this.us % 1e6)]
    if (command === 'MGET') return rest.map(get)
    if (command === 'SET' && rest.length === 4 && rest[2] === 'PX') {
      const ttl = rest[3] as string
      if (!/^[1-9]\d*$/.test(ttl)) throw new Error(`ERR invalid expire ${ttl}`)
      this.data.set(rest[0] as string, { value: rest[1] as string, expires: Math.floor(nowMs) + Number(ttl) })
      return 'OK'
    }
    throw new Error(`ERR unexpected ${args.join(' ')}`)
  }

  async evalsha(sha: string, keys: string[], args: string[]): Promise<unknown> {
    if (!this.#scripts.has(sha)) throw new Error('Command failed: NOSCRIPT No matching script.')
    return this.#run(this.#texts.get(sha) as string, keys, args)
  }

  readonly #texts = new Map<string, string>()

  async eval(script: string, keys: string[], args: string[]): Promise<unknown> {
    if (this.#strict && script.startsWith('#!')) {
      throw new Error('ERR Unexpected flag in script shebang: allow-key-locking')
    }
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(script)))
    const sha = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    this.#scripts.add(sha)
    this.#texts.set(sha, script)
    return this.#run(script, keys, args)
  }

  async del(...keys: string[]): Promise<number> {
    for (const key of keys) this.data.delete(key)
    return keys.length
  }

  #run(script: string, keys: string[], args: string[]): unknown {
    const L = lauxlib['luaL_newstate']?.()
    lualib['luaL_openlibs']?.(L)
    const push = (value: unknown): void => {
      if (Array.isArray(value)) {
        lua['lua_newtable']?.(L)
        value.forEach((item, i) => {
          push(item)
          lua['lua_rawseti']?.(L, -2, i + 1)
        })
      } else if (value === false) lua['lua_pushboolean']?.(L, 0)
      else lua['lua_pushstring']?.(L, to_luastring(String(value)))
    }
    for (const [name, list] of [
      ['KEYS', keys],
      ['ARGV', args],
    ] as const) {
      push(list)
      lua['lua_setglobal']?.(L, to_luastring(name))
    }
    lua['lua_newtable']?.(L)
    lua['lua_pushcfunction']?.(L, () => {
      const count = lua['lua_gettop']?.(L) as number
      const words: string[] = []
      for (let i = 1; i <= count; i++) words.push(to_jsstring(lua['lua_tostring']?.(L, i) as Uint8Array))
      push(this.#call(words))
      return 1
    })
    lua['lua_setfield']?.(L, -2, to_luastring('call'))
    lua['lua_setglobal']?.(L, to_luastring('redis'))
    const text = script.replace(/^#!.*\n/, '\n')
    if (lauxlib['luaL_dostring']?.(L, to_luastring(text))) {
      throw new Error(to_jsstring(lua['lua_tostring']?.(L, -1) as Uint8Array))
    }
    const out: number[] = []
    const length = lauxlib['luaL_len']?.(L, -1) as number
    for (let i = 1; i <= length; i++) {
      lua['lua_rawgeti']?.(L, -1, i)
      const number = lua['lua_tonumber']?.(L, -1) as number
      // Redis truncates Lua's numbers.
      out.push(Math.trunc(number))
      lua['lua_settop']?.(L, -2)
    }
    return out
  }
}
