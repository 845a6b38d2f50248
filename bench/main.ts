import process from 'node:process'
import { machine } from './support/machine.ts'
import { benchNames, loadBench } from './support/registry.ts'

/**
 * `npm run bench -- NAME [options] [--json]`. Prints a report, or with `--json` one JSON object as the last line of
 * stdout. Exits 0 when it could measure, whatever the figures; 1 when it could not, or when one that gates is over a
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
const {
  figures,
  report,
  over = [],
} = await bench.run({
  args: rest.filter((arg: string) => arg !== '--json'),
  say: (line) => console.error(line),
})
console.log(rest.includes('--json') ? JSON.stringify({ name, machine: machine(), figures }) : report)
for (const sentence of over) console.error(`over the limit: ${sentence}`)
process.exitCode = over.length > 0 ? 1 : 0
