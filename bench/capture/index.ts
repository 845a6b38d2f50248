import { createServer } from 'node:http'
import { join } from 'node:path'
import { detectionSeconds, normalDays } from '../../test/unit/alerts/simulation.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { installPeers } from '../support/peers.ts'
import { interleave, ratio } from '../support/rounds.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'

const here = import.meta.dirname

/** What capture adds to a request, with and without tracing; and how soon alerts tell, and how often for nothing. */
export const bench: Bench = {
  about: 'A watched request beside bare Hono and @sentry/cloudflare; seconds until an alert; false alarms.',
  options: '--rounds 5 --seconds 2 --connections 16 --days 30',
  async run({ args, say }) {
    const options = numbers(args, { rounds: 5, seconds: 2, connections: 16, days: 30 })
    installPeers(say)
    const ingest = createServer((request, response) => {
      request.resume()
      response.end('{}')
    })
    await new Promise<void>((resolve) => ingest.listen(0, '127.0.0.1', resolve))
    const address = ingest.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const bindings = (rate: string) => ({ SENTRY_DSN: `http://key@127.0.0.1:${port}/1`, RATE: rate })
    const ours = join(here, 'workers/ours.ts')
    const theirs = join(here, 'sentry/workers/peers.ts')
    const served = await serveWorkers([
      { name: 'bare', entry: join(here, '../edge/workers/bare.ts') },
      { name: 'ours', entry: ours, bindings: bindings('0') },
      { name: 'ours-traced', entry: ours, bindings: bindings('0.1') },
      { name: 'sentry', entry: theirs, bindings: bindings('0') },
      { name: 'sentry-traced', entry: theirs, bindings: bindings('0.1') },
    ])
    try {
      const names = Object.keys(served.ports)
      const subjects = names.map((name) => ({ name, url: `http://127.0.0.1:${served.ports[name]}/me` }))
      const measured = await interleave(subjects, { ...options, pid: served.pid }, say)
      const of = (name: string) => measured.get(name)
      const added = (name: string): number =>
        round((of(name)?.cpu ?? Number.NaN) - (of('bare')?.cpu ?? Number.NaN), 1)
      say('simulating')
      let detectSeconds = 0
      for (let offset = 0; offset < 60; offset++)
        detectSeconds = Math.max(detectSeconds, await detectionSeconds(offset, 1))
      let falseAlarms = 0
      for (const noon of [20, 2000]) falseAlarms += (await normalDays(options.days, { noon }, 1)).length
      const figures = {
        ratioToBare: round(ratio(of('ours'), of('bare'))),
        ratioToSentryCloudflare: round(ratio(of('ours-traced'), of('sentry-traced'))),
        detectSeconds,
        falseAlarms,
        addedMicroseconds: Object.fromEntries(names.slice(1).map((name) => [name, added(name)])),
        days: options.days,
      }
      const report = [
        table(
          ['GET /me', 'requests/s', 'µs CPU added', 'to bare'],
          names.map((name) => [
            name,
            Math.round(of(name)?.median ?? Number.NaN),
            added(name),
            round(ratio(of(name), of('bare'))),
          ]),
        ),
        '',
        `A spike is told of after ${detectSeconds} s at most; ${falseAlarms} false alarms in ${options.days} days.`,
      ].join('\n')
      return { figures, report }
    } finally {
      await served.stop()
      ingest.closeAllConnections()
      ingest.close()
    }
  },
}
