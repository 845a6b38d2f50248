import { stacks, subject, warmCookie } from '../edge/subjects.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { interleave } from '../support/rounds.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'

const CONNECTIONS = [1, 16, 128, 512]

/** Whether the chain keeps its rate as more people come at once. */
export const bench: Bench = {
  about: 'Requests per second of the chain at 1, 16, 128 and 512 connections.',
  options: '--rounds 3 --seconds 2',
  async run({ args, say }) {
    const options = numbers(args, { rounds: 3, seconds: 2 })
    const served = await serveWorkers(stacks.filter(({ name }) => name === 'chain'))
    try {
      const rows = []
      for (const connections of CONNECTIONS) {
        say(`${connections} connections`)
        const measured = await interleave(
          [subject('chain', served.ports['chain'], warmCookie)],
          { ...options, connections, pid: served.pid },
          say,
        )
        const { median = Number.NaN, spread = Number.NaN, cpu = Number.NaN } = measured.get('chain') ?? {}
        rows.push({ connections, rps: Math.round(median), spread: round(spread, 3), cpu: round(cpu, 1) })
      }
      return {
        figures: { rps: Object.fromEntries(rows.map(({ connections, rps }) => [connections, rps])) },
        report: table(
          ['connections', 'requests/s', 'spread', 'µs CPU a request'],
          rows.map((row) => [row.connections, row.rps, row.spread, row.cpu]),
        ),
      }
    } finally {
      await served.stop()
    }
  },
}
