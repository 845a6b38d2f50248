import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

/**
 * `npm run check`: everything that can be said about the code without running it.
 * Runs all of it even when something fails, so that one run tells the whole truth.
 */
const native = 'node node_modules/typescript-native/bin/tsc'
const steps: readonly (readonly [name: string, command: string])[] = [
  ['types', `${native} -p tsconfig.json`],
  ['types: browser side', `${native} -p src/client/tsconfig.json`],
  ['types: declarations', 'node tools/check-declarations.ts'],
  ['format and lint', 'biome check --error-on-warnings .'],
  ['the rule of the stairs', 'depcruise src worker'],
  ['unused code and dependencies', 'knip --no-progress'],
  ['migrations match the schema', 'node tools/check-migrations.ts'],
  ['build', 'node tools/build.ts'],
  ['exports match the rooms', 'node tools/check-exports.ts'],
  ['packaging: publint', 'publint --strict'],
  ['packaging: are the types wrong', 'node tools/check-types-resolve.ts'],
  ['bundle sizes and what leaked', 'node bench/main.ts size --gate'],
]

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } })
const failed: string[] = []
for (const [name, command] of steps) {
  if (values.only && !values.only.some((word) => name.includes(word))) continue
  const start = performance.now()
  const run = spawnSync(command, { shell: true, encoding: 'utf8' })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const ok = run.status === 0
  console.log(`${ok ? '✓' : '✗'} ${name} (${seconds} s)`)
  if (!ok) {
    failed.push(name)
    console.log(`${run.stdout}${run.stderr}`.trimEnd())
  }
}
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`)
  process.exit(1)
}
