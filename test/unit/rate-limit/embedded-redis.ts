import type { UpstashClient } from 'breakwater/rate-limit'
import { CommandError, type Reply } from '../../../src/local/upstash/reply.ts'
import { Store } from '../../../src/local/upstash/store.ts'

/** The local stack's Redis in this process, without HTTP in between, on a clock that the test moves. */
export class EmbeddedRedis implements UpstashClient {
  /** Milliseconds since the epoch. */
  ms: number
  /** What scripts were asked for, and what was deleted. */
  readonly commands: string[][] = []
  readonly store: Store
  readonly #plain: boolean

  /** @param plain refuse the script's first line, as a Redis does that is not Upstash. */
  constructor(ms: number, plain = false) {
    this.ms = ms
    this.#plain = plain
    this.store = new Store(() => this.ms)
  }

  #run(...words: string[]): Reply {
    this.commands.push(words)
    const reply = this.store.run(words)
    if (reply instanceof CommandError) throw new Error(`Command failed: ${reply.message}`)
    return reply
  }

  /** One command, for the test itself. */
  ask(...words: string[]): Reply {
    return this.store.run(words)
  }

  /** All keys, each with its remaining milliseconds; -1 for one that never ends. */
  lifetimes(): Map<string, number> {
    const keys = this.ask('KEYS', '*') as string[]
    return new Map(keys.map((key) => [key, Number(this.ask('PTTL', key))]))
  }

  async evalsha(sha: string, keys: string[], args: string[]): Promise<unknown> {
    return this.#run('EVALSHA', sha, String(keys.length), ...keys, ...args)
  }

  async eval(script: string, keys: string[], args: string[]): Promise<unknown> {
    if (this.#plain && script.startsWith('#!')) {
      throw new Error('ERR Unexpected flag in script shebang: allow-key-locking')
    }
    return this.#run('EVAL', script, String(keys.length), ...keys, ...args)
  }

  async del(...keys: string[]): Promise<unknown> {
    return this.#run('DEL', ...keys)
  }
}
