import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench, Outcome } from '../support/bench.ts'
import { type Kept, keptOf } from '../support/kept.ts'
import { machine, versionOf } from '../support/machine.ts'
import { installPeers } from '../support/peers.ts'
import { benchNames, loadBench } from '../support/registry.ts'
import { table } from '../support/table.ts'

const FILE = 'docs/benchmarks.md'
const PEERS = ['better-auth', '@sentry/cloudflare', 'hono-rate-limiter']
/** Not for the report: this one, and the tool that looks for what to make faster. */
const LEFT_OUT = ['all', 'profile']

/** Every bench, one after the other, into one report. */
export const bench: Bench = {
  about: `Runs every bench and writes ${FILE}.`,
  options: '[NAME …]: only these; those that take long are taken from what `--save` has kept',
  async run({ args, say }) {
    installPeers(say)
    const known = benchNames().filter((name) => !LEFT_OUT.includes(name))
    const unknown = args.filter((name) => !known.includes(name))
    if (unknown.length > 0) throw new TypeError(`There is no bench ${unknown.join(', ')}`)
    const figures: Record<string, Outcome['figures']> = {}
    const sections: string[] = []
    const begun = Date.now()
    for (const name of args.length > 0 ? known.filter((one) => args.includes(one)) : known) {
      say(`── ${name}, ${Math.round((Date.now() - begun) / 1000)} s after the start`)
      const { about, heavy, run } = await loadBench(name)
      if (heavy) {
        const kept = keptOf(name)
        if (kept) figures[name] = kept.figures
        sections.push(section(name, about, kept ? [provenance(kept), '', ...body(kept)] : [howToKeep(name)]))
        continue
      }
      try {
        const outcome = await run({ args: [], say })
        figures[name] = outcome.figures
        sections.push(section(name, about, body(outcome)))
      } catch (error) {
        // One that cannot measure must not cost the others their figures.
        const reason = error instanceof Error ? error.message : String(error)
        say(`${name} could not measure: ${reason}`)
        sections.push(section(name, about, ['Could not be measured.']))
      }
    }
    const text = `${preface(Date.now() - begun)}\n\n${sections.join('\n\n')}\n`
    mkdirSync(join(FILE, '..'), { recursive: true })
    writeFileSync(FILE, text)
    return { figures, report: `Written to ${FILE}.` }
  },
}

const body = ({ report, over = [] }: Outcome): string[] => [
  report,
  ...over.map((sentence) => `- Over its limit: ${sentence}.`),
]

/** Where a kept figure comes from. */
const provenance = ({ date, command, machine: { cpu, cores, memoryGB } }: Kept): string =>
  `Takes long, so it is not measured with the others: measured on ${date} by \`${command}\`, on ${cpu}, ${cores} cores, ${memoryGB} GB.`

const howToKeep = (name: string): string =>
  `Takes long, so it is not measured with the others, and nothing was kept yet: \`npm run bench -- ${name} --save\`.`

const section = (name: string, about: string, parts: readonly string[]): string =>
  [`## ${name}`, '', about, '', ...parts].join('\n')

function preface(milliseconds: number): string {
  const { cpu, cores, memoryGB, platform, node, workerd, hono, load } = machine()
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench -- all`; do not edit. `npm run bench -- NAME` repeats one of them.',
    '',
    'What is compared runs in turns within one process, round after round, so that whatever else the machine does meets all alike; ratios are medians of the ratios within each round. The spread is half the distance between the quartiles, as a share of the median. CPU is what the server’s process used, HTTP included. Rates and latencies on another machine will differ; ratios and counts should not by much.',
    '',
    table(
      ['', ''],
      [
        ['machine', `${cpu}, ${cores} cores, ${memoryGB} GB, ${platform}`],
        ['Node', node],
        ['workerd', workerd],
        ['Hono', hono],
        ['load from', load],
        ['measured', `${new Date().toISOString().slice(0, 10)}, in ${Math.ceil(milliseconds / 60_000)} min`],
        ...PEERS.map((name) => [name, versionOf(name, 'bench')]),
      ],
    ),
  ].join('\n')
}
