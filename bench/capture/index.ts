import { join } from 'node:path'
import { alone, subject } from '../edge/subjects.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { installPeers } from '../support/peers.ts'
import { interleave, ratio } from '../support/rounds.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'

/** What it costs a request that nothing goes wrong with to be watched. */
export const bench: Bench = {
  about: 'Requests per second under error capture, beside bare Hono and @sentry/cloudflare.',
  options: '--rounds 7 --seconds 2 --connections 32',
  async run({ args, say }) {
    const options = numbers(args, { rounds: 7, seconds: 2, connections: 32 })
    installPeers(say)
    const sentry = {
      name: 'sentry',
      entry: join(import.meta.dirname, 'workers/peers.ts'),
      bindings: { SENTRY_DSN: 'http://key@127.0.0.1:9/1' },
    }
    const ours = alone.filter(({ name }) => name === 'alone-bare' || name === 'alone-capture')
    const served = await serveWorkers([...ours, sentry])
    try {
      const measured = await interleave(
        [
          subject('bare', served.ports['alone-bare']),
          subject('capture', served.ports['alone-capture']),
          subject('@sentry/cloudflare', served.ports['sentry']),
        ],
        { ...options, pid: served.pid },
        say,
      )
      const capture = measured.get('capture')
      return {
        figures: {
          ratioToBare: round(ratio(capture, measured.get('bare'))),
          ratioToSentryCloudflare: round(ratio(capture, measured.get('@sentry/cloudflare'))),
        },
        report: table(
          ['nothing goes wrong', 'requests/s', 'spread', 'µs CPU a request', 'to bare'],
          [...measured].map(([name, one]) => [
            name,
            Math.round(one.median),
            round(one.spread, 3),
            round(one.cpu, 1),
            round(ratio(one, measured.get('bare'))),
          ]),
        ),
      }
    } finally {
      await served.stop()
    }
  },
}
