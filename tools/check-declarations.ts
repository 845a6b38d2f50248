import { spawnSync } from 'node:child_process'

/**
 * Every export of the package states its type, so that declarations can be made file by file. The one exception
 * is Drizzle's tables (`schema.ts`): their types are inferred from their columns, which is what they are for.
 */
const run = spawnSync(
  process.execPath,
  [
    'node_modules/typescript-native/bin/tsc',
    '-p',
    'tsconfig.build.json',
    '--noEmit',
    '--isolatedDeclarations',
    '--pretty',
    'false',
  ],
  { encoding: 'utf8' },
)
const faults = run.stdout
  .split('\n')
  .filter((line) => line !== '' && !/\/schema\.ts\(\d+,\d+\): error TS90\d\d:/.test(line))
if (faults.length > 0 || (run.status !== 0 && run.stdout === '')) {
  console.error(`${faults.join('\n')}${run.stderr}`)
  process.exit(1)
}
