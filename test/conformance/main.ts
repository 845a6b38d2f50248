import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Conformance, render } from './table.ts'

/** A suite runs against the reference app, or against what it says itself, and takes everything down behind it. */
export interface Suite {
  run(): Promise<Conformance>
}

/** `npm run conformance -- NAME [--json]`: every requirement of a standard, as a row. */
const suites: Readonly<Record<string, () => Promise<Suite>>> = {
  asvs: () => import('./asvs.ts'),
  capture: () => import('./capture.ts'),
  problems: () => import('./problems.ts'),
  ratelimit: () => import('./ratelimit.ts'),
  tus: () => import('./tus.ts'),
}

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean' } },
  allowPositionals: true,
})
const [name] = positionals
const load = name !== undefined && Object.hasOwn(suites, name) ? suites[name] : undefined
if (load === undefined || positionals.length > 1) {
  console.error(`Name one of: ${Object.keys(suites).join(', ')}`)
  process.exitCode = 2
} else {
  const result = await (await load()).run()
  console.log(values.json ? JSON.stringify(result) : render(result))
}
