import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

interface Failure {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const bench = async (...args: string[]): Promise<Failure> =>
  promisify(execFile)(process.execPath, ['bench/main.ts', ...args]).then(
    (done) => ({ ...done, code: 0 }),
    (failed: Failure) => failed,
  )

const lastLine = (text: string): Record<string, Record<string, unknown>> =>
  JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')

it('lists the benches for a name that there is not', async () => {
  const { code, stderr } = await bench('nope')
  expect(code).toBe(2)
  for (const name of ['edge', 'latency', 'roundtrips', 'size', 'all']) expect(stderr).toContain(name)
})

it('says what each subpath weighs, as one line of JSON', async () => {
  const { stdout } = await bench('size', '--gate', '--json')
  const { name, machine, figures } = lastLine(stdout)
  expect(name).toBe('size')
  expect(machine).toMatchObject({ workerd: expect.any(String), cores: expect.any(Number) })
  expect(figures).toMatchObject({
    workerGzipKB: expect.any(Number),
    middlewareGzipKB: expect.any(Number),
    subpaths: { auth: expect.any(Number), 'rate-limit': expect.any(Number) },
  })
})

it('counts the round trips of a warm and of a cold request on the whole stack, within the budget', async () => {
  const { code, stdout } = await bench('roundtrips', '--quick', '--json')
  expect(code).toBe(0)
  const { figures } = lastLine(stdout)
  expect(figures?.['overBudget']).toBe(0)
  expect(figures?.['flows']).toMatchObject({
    'GET, warm': { redis: 1, postgres: 0 },
    'GET, cold': { redis: 1, postgres: 1 },
    'enqueue a job': { redis: 0, postgres: 1 },
  })
})
