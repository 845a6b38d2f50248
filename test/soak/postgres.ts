import { spawnSync } from 'node:child_process'
import process from 'node:process'

/** `npm run soak -- postgres`: every test of the local server, those that start servers of their own included. */
export async function run(): Promise<string> {
  const { status } = spawnSync('vitest', ['run', '--project', 'system', 'test/system/postgres'], {
    stdio: 'inherit',
    env: { ...process.env, BREAKWATER_SOAK: '1' },
  })
  if (status !== 0) throw new Error('A test of the local server failed: see above')
  return 'Every test of the local server passed.'
}
