import { mkdirSync, writeFileSync } from 'node:fs'
import { alone, peersCookie, stacks, subject, warmCookie } from '../edge/subjects.ts'
import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { inspect } from '../support/inspector.ts'
import { load } from '../support/load.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'
import { type CpuProfile, heaviest } from './cpu-profile.ts'

/** Where the chain's time goes, function by function. */
export const bench: Bench = {
  about: 'A CPU profile of the chain in workerd, also written to bench/results/ for a browser to open.',
  options: '--seconds 4 --rows 45 [bare|chain|peers|alone-…]',
  async run({ args, say }) {
    const specs = [...stacks, ...alone]
    const named = args.find((arg) => specs.some(({ name }) => name === arg))
    const name = named ?? 'chain'
    const options = numbers(
      args.filter((arg) => arg !== named),
      { seconds: 4, rows: 45 },
    )
    const spec = specs.filter((one) => one.name === name).map((one) => ({ ...one, readable: true }))
    const served = await serveWorkers(spec, { inspector: true })
    try {
      const cookie = { chain: warmCookie, 'alone-session': warmCookie, peers: peersCookie }[name]
      const { url, headers } = subject(name, served.ports[name], cookie)
      const run = async (seconds: number) =>
        load({ url, seconds, connections: 16, headers: (await headers?.()) ?? {} })
      await run(2)
      const session = await inspect(served.inspector, name)
      await session.send('Profiler.enable')
      await session.send('Profiler.setSamplingInterval', { interval: 100 })
      await session.send('Profiler.start')
      const { requests } = await run(options.seconds)
      const { profile } = await session.send<{ profile: CpuProfile }>('Profiler.stop')
      session.close()
      mkdirSync('bench/results', { recursive: true })
      const file = `bench/results/${name}.cpuprofile`
      writeFileSync(file, JSON.stringify(profile))
      say(`written to ${file}`)
      const rows = heaviest(profile).map(({ name, place, self, total }) => [
        name,
        place,
        round(self / requests),
        round(total / requests),
      ])
      return {
        figures: { requests, heaviest: rows.slice(0, options.rows) },
        report: table(['function', 'at', 'self µs', 'total µs'], rows.slice(0, options.rows)),
      }
    } finally {
      await served.stop()
    }
  },
}
