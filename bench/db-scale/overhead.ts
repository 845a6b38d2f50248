import { neon } from '@neondatabase/serverless'
import { sql } from 'drizzle-orm'
import { createDatabase } from '../../src/db/index.ts'
import { createNeonApp, serveStandIn } from '../../src/local/index.ts'
import { median, round } from '../support/statistics.ts'

/**
 * What our layer adds to a statement, as a share of what the raw driver takes: the median of the differences of pairs,
 * each measured within a few milliseconds, so that what else the machine does is in both.
 */
export async function overhead(url: string, pairs: number): Promise<number> {
  const standIn = await serveStandIn(createNeonApp({ connect: url, connections: 2 }))
  try {
    const db = createDatabase({ url, endpoint: standIn.url })
    const at = new URL(url)
    const there = new URL(standIn.url)
    at.hostname = there.hostname
    at.port = there.port
    const raw = neon(at.href, { fullResults: true })
    const more: number[] = []
    const theirs: number[] = []
    for (let n = 0; n < pairs + 50; n++) {
      const time = async (run: () => PromiseLike<unknown>): Promise<number> => {
        const began = performance.now()
        await run()
        return performance.now() - began
      }
      const viaUs = () => time(() => db.execute(sql`select ${n}::int as n, 'a' as a`))
      const viaThem = () => time(() => raw.query('select $1::int as n, $2 as a', [n, 'a']))
      // Who goes first changes, so that neither profits from the other's warm line.
      const [us, them] =
        n % 2 === 0 ? [await viaUs(), await viaThem()] : [await viaThem(), await viaUs()].reverse()
      if (n < 50) continue
      more.push((us ?? 0) - (them ?? 0))
      theirs.push(them ?? 0)
    }
    return round(median(more) / median(theirs), 3)
  } finally {
    await standIn.stop()
  }
}
