import { createHash } from 'node:crypto'
import type { Redis } from '@upstash/redis/cloudflare'
import { plainScript, script } from '../script.ts'
import type { Mode } from './decide.ts'
import type { Charge, Outcome, RateLimitStore } from './store.ts'

/** The part of `@upstash/redis` that the store uses; any version or build of its client fits. */
export interface UpstashClient {
  evalsha: (sha: string, keys: string[], args: string[]) => Promise<unknown>
  eval: (script: string, keys: string[], args: string[]) => Promise<unknown>
  del: (...keys: string[]) => Promise<unknown>
}

interface Loaded {
  readonly text: string
  readonly sha: string
}

function loaded(text: string): Loaded {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * Counts in Redis, through Upstash's REST client. One EVALSHA decides about every policy of a request; with
 * the client's auto-pipelining it shares one HTTP request with whatever else is sent in the same tick. (The
 * client keeps a second pipeline for what it takes for reads, `GET` among them.)
 *
 * @param redis a client, such as `createRedis` of `breakwater/redis` returns.
 */
export function upstash(redis: Redis | UpstashClient): RateLimitStore {
  const client = redis as UpstashClient
  let current = loaded(script)

  async function run(mode: Mode, charges: readonly Charge[], ms?: number): Promise<number[]> {
    const keys: string[] = []
    const args: string[] = [mode]
    for (const { policy, key, cost, quota, burst, lease = 0 } of charges) {
      keys.push(key)
      args.push(policy.algorithm[0] as string)
      const fourth = policy.algorithm === 'concurrency' ? lease : burst
      for (const value of [quota, policy.window, fourth, ms ?? cost, policy.penaltyAfter])
        args.push(String(value))
      args.push(String(policy.penaltyCeiling), String(policy.penaltyDecay), policy.shadow ? '1' : '0')
    }
    const { text, sha } = current
    try {
      return (await client.evalsha(sha, keys, args)) as number[]
    } catch (error) {
      if (!String(error).includes('NOSCRIPT')) throw error
    }
    try {
      return (await client.eval(text, keys, args)) as number[]
    } catch (error) {
      if (text === plainScript || !/shebang|allow-key-locking/i.test(String(error))) throw error
    }
    // Not Upstash but a Redis behind its protocol: it does not know the flag of the first line.
    current = loaded(plainScript)
    return (await client.eval(plainScript, keys, args)) as number[]
  }

  async function decide(mode: Mode, charges: readonly Charge[]): Promise<Outcome[]> {
    const reply = await run(mode, charges)
    if (!Array.isArray(reply) || reply.length !== charges.length * 6) {
      throw new TypeError('The rate limit script gave an unexpected reply')
    }
    return charges.map((_, i) => {
      const at = (n: number) => reply[i * 6 + n] as number
      return {
        allowed: at(0) === 1,
        remaining: at(1),
        reset: at(2),
        retry: at(3),
        block: at(4),
        penalized: at(5) === 1,
      }
    })
  }

  return {
    name: 'upstash',
    take: (charges) => decide('take', charges),
    peek: (charges) => decide('peek', charges),
    async refund(charges) {
      await run('refund', charges)
    },
    async block(charges, ms) {
      await run('block', charges, ms)
    },
    async reset(charges) {
      if (charges.length > 0) await client.del(...charges.map(({ key }) => key))
    },
  }
}
