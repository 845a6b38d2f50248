import { resetBreakers } from 'breakwater/breaker'
import { runWork, workFor } from 'breakwater/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { withCircuit } from '../../../src/db/circuit.ts'
import type { Driver } from '../../../src/db/database.ts'
import { PostgresError, type PostgresErrorDetails, type PostgresFailure } from '../../../src/db/errors.ts'

beforeEach(() => resetBreakers())

const URL = 'postgresql://app:pw@ep-one-pooler.neon.tech/app'
const SELECT = { sql: 'select 1', params: [], arrayMode: false, readOnly: true } as const

/** A server that fails in one way, and how often it was asked. */
function failing(failure: PostgresFailure, details: PostgresErrorDetails = {}) {
  const asked = { times: 0 }
  const fail = (): Promise<never> => {
    asked.times++
    return Promise.reject(new PostgresError(failure, details))
  }
  const driver: Driver = { transport: { run: fail, batch: fail }, connect: fail }
  return { asked, driver: withCircuit(driver, URL) }
}

async function ask(driver: Driver, times: number): Promise<unknown> {
  let last: unknown
  for (let i = 0; i < times; i++) last = await driver.transport.run(SELECT).catch((error: unknown) => error)
  return last
}

describe('the circuit of a database', () => {
  it.each<[PostgresFailure, PostgresErrorDetails]>([
    ['unavailable', {}],
    ['unavailable', { sqlState: '57P03' }],
    ['timeout', {}],
    ['outcome-unknown', {}],
  ])('opens when the server is out: %s %o', async (failure, details) => {
    const { asked, driver } = failing(failure, details)
    expect(await ask(driver, 8)).toMatchObject({ code: 'dependency-unavailable', status: 503, report: false })
    expect(asked.times).toBe(5)
    // Transactions go the same way.
    await expect(driver.connect(1000)).rejects.toMatchObject({ code: 'dependency-unavailable' })
    expect(asked.times).toBe(5)
  })

  it.each<[PostgresFailure, PostgresErrorDetails]>([
    ['rejected', { sqlState: '42P01' }],
    ['unique-violation', { sqlState: '23505' }],
    ['deadlock', { sqlState: '40P01' }],
    ['serialization-failure', { sqlState: '40001' }],
    ['timeout', { sqlState: '57014' }],
  ])(
    'stays closed while Postgres answers, whatever it says of the statement: %s',
    async (failure, details) => {
      const { asked, driver } = failing(failure, details)
      expect(await ask(driver, 20)).toMatchObject({ failure })
      expect(asked.times).toBe(20)
    },
  )

  it('takes neither a spent budget nor a caller who went away for an outage', async () => {
    const { asked, driver } = failing('timeout')
    await runWork(workFor('request', undefined, { budget: -1 }), () => ask(driver, 20))
    await runWork(workFor('request', undefined, { signal: AbortSignal.abort() }), () => ask(driver, 20))
    expect(asked.times).toBe(40)
  })

  it('is one for all databases of a server, and another for another server', async () => {
    const { driver } = failing('unavailable')
    await ask(driver, 5)
    let asked = 0
    const well = { transport: { run: async () => ++asked, batch: async () => [] }, connect: async () => {} }
    const sibling = withCircuit(well as unknown as Driver, URL.replace('/app', '/other'))
    await expect(sibling.transport.run(SELECT)).rejects.toMatchObject({ code: 'dependency-unavailable' })
    await withCircuit(well as unknown as Driver, URL.replace('one', 'two')).transport.run(SELECT)
    expect(asked).toBe(1)
  })
})
