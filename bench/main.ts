import process from 'node:process'
import { keep } from './support/kept.ts'
import { machine } from './support/machine.ts'
import { benchNames, loadBench } from './support/registry.ts'

/**
 * `npm run bench -- NAME [options] [--json]`. Prints a report, or with `--json` one JSON object as the last line of
 * stdout; `--save` also keeps the outcome for `all`. Exits 0 when it could measure, whatever the figures; 1 when it could not, or when one that gates is over a
 * limit; 2 for a name that there is not.
 */
process.chdir(`${import.meta.dirname}/..`)
const [name, ...rest] = process.argv.slice(2)
const names = benchNames()

if (name === undefined || !names.includes(name)) {
  console.error(name === undefined ? 'Which one?' : `There is no bench "${name}".`)
  for (const known of names) {
    const { about, options } = await loadBench(known)
    console.error(`  ${known.padEnd(12)} ${about}${options === undefined ? '' : ` [${options}]`}`)
  }
  process.exit(2)
}

const bench = await loadBench(name)
const args = rest.filter((arg: string) => arg !== '--json' && arg !== '--save')
const outcome = await bench.run({ args, say: (line) => console.error(line) })
if (rest.includes('--save')) keep(name, args, outcome)
const { figures, report, over = [] } = outcome
console.log(rest.includes('--json') ? JSON.stringify({ name, machine: machine(), figures }) : report)
for (const sentence of over) console.error(`over the limit: ${sentence}`)
process.exitCode = over.length > 0 ? 1 : 0
