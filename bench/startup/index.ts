import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stacks } from '../edge/subjects.ts'
import type { Bench } from '../support/bench.ts'
import { cpuSeconds } from '../support/cpu.ts'
import { numbers } from '../support/flags.ts'
import { installPeers } from '../support/peers.ts'
import { median, round, spread } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { buildWorkers, serveBuilt } from '../support/workerd.ts'

/** CPU from nothing to the first answer, of a worker in a fresh workerd. */
export const bench: Bench = {
  about: 'CPU that an isolate takes to start, above what an empty worker takes; ours, bare Hono, the peers.',
  options: '--starts 15',
  async run({ args, say }) {
    const { starts } = numbers(args, { starts: 15 })
    installPeers(say)
    const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
    try {
      const empty = { name: 'empty', entry: join(import.meta.dirname, 'workers/empty.ts') }
      const specs = [empty, ...stacks]
      const built = await buildWorkers(specs, folder)
      const taken = new Map<string, number[]>(specs.map(({ name }) => [name, []]))
      for (let round = 0; round < starts; round++) {
        for (const one of built) {
          const served = await serveBuilt([one], folder)
          taken.get(one.name)?.push(cpuSeconds(served.pid) * 1000)
          await served.stop()
        }
        if (round % 5 === 4) say(`${round + 1} starts of ${starts}`)
      }
      const milliseconds = (name: string): number => median(taken.get(name) ?? [])
      const floor = milliseconds('empty')
      const above = (name: string): number => round(milliseconds(name) - floor, 1)
      const figures = {
        bareMs: above('bare'),
        chainMs: above('chain'),
        peersMs: above('peers'),
        ratioToPeers: round(above('chain') / above('peers')),
      }
      return {
        figures,
        report: [
          table(
            ['worker', 'CPU to the first answer, ms', 'spread', 'above an empty worker, ms'],
            [...taken].map(([name, values]) => [
              name,
              round(median(values), 1),
              round(spread(values), 3),
              above(name),
            ]),
          ),
          '',
          'Measured as the CPU time of a fresh workerd, all its threads, from its start until it has answered once.',
        ].join('\n'),
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
