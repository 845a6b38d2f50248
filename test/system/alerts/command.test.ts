import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SentryAlerts } from 'breakwater/alerts'
import { createSentryApp, type StandIn, serveStandIn } from 'breakwater/local'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { main } from '../../../src/cli/main.ts'

const folder = mkdtempSync(join(tmpdir(), 'breakwater-alerts-'))
const token = 'sntryu_0123456789abcdef0123456789abcdef'
let standIn: StandIn
let serial = 0
let project = ''

beforeAll(async () => {
  standIn = await serveStandIn(createSentryApp({ tokens: [token] }))
})
beforeEach(() => {
  standIn.faults.clear()
  // Each test has a project of its own.
  project = `shop-${++serial}`
})
afterAll(async () => {
  await standIn.stop()
  rmSync(folder, { recursive: true, force: true })
})

const declared: SentryAlerts = {
  environment: 'production',
  monitors: [
    { name: 'Errors', measure: 'errors', window: '5 m', above: 50, medium: 20 },
    { name: 'Slow', measure: 'duration', window: '10 m', above: 3000 },
    { name: 'Quiet', measure: 'throughput', window: '10 m', below: 50, comparedTo: '1 h' },
    { name: 'Odd', measure: 'users', window: '1 h', anomaly: 'medium' },
  ],
  alerts: [
    { name: 'New or back again', notify: [{ owners: 'ActiveMembers' }] },
    {
      name: 'Too many',
      monitors: ['Errors', 'Slow'],
      every: '5 m',
      notify: [{ team: '4711' }, { slack: '#ops', integration: '12', tags: 'environment' }],
    },
    {
      name: 'Told by the cron',
      when: ['new'],
      only: [{ type: 'tagged_event', comparison: { key: 'alert', match: 'is' } }],
      notify: [{ user: '7' }],
    },
  ],
}

/** Runs the command: what it prints, and how it ends. */
async function alerts(args: string[], of: unknown = declared, env: Record<string, string> = {}) {
  // A module is read once: each run has a file of its own.
  const file = join(folder, `${++serial}.mjs`)
  writeFileSync(file, `export const alerts = ${JSON.stringify(of)}`)
  const variables = {
    SENTRY_URL: standIn.url,
    SENTRY_AUTH_TOKEN: token,
    SENTRY_ORG: 'acme',
    SENTRY_PROJECT: project,
    ...env,
  }
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  let out = ''
  let err = ''
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text)
    return true
  })
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text)
    return true
  })
  try {
    const code = await main(['alerts', ...args, '--file', file])
    expect(out + err, 'the token is never shown').not.toContain(token)
    return { code, out, err }
  } finally {
    stdout.mockRestore()
    stderr.mockRestore()
    vi.unstubAllEnvs()
  }
}

interface Kept {
  id: string
  name: string
  type?: string
  detectorIds?: string[]
  [member: string]: unknown
}

/** Sentry's API, as somebody who works with its pages causes it to be called. */
async function api(path: string, method = 'GET', body?: unknown): Promise<unknown> {
  const reply = await fetch(`${standIn.url}/api/0/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`)
  return reply.status === 204 ? undefined : reply.json()
}
const projectId = async () => ((await api(`projects/acme/${project}/`)) as { id: string }).id
const monitors = async () =>
  (await api(`organizations/acme/detectors/?project=${await projectId()}`)) as Kept[]
const workflows = async () => (await api('organizations/acme/workflows/')) as Kept[]

describe('npx breakwater alerts', () => {
  it('shows what would be made, changes nothing, makes it, and then has nothing left to do', async () => {
    const first = await alerts(['plan'])
    expect(first).toMatchObject({ code: 0, err: '' })
    expect(first.out).toContain('+ monitor "breakwater: Errors"')
    expect(first.out).toContain('+ alert "breakwater: Too many"')
    expect((await monitors()).map(({ type }) => type)).toEqual(['error', 'issue_stream'])

    expect(await alerts(['apply'])).toMatchObject({ code: 0, err: '' })
    const made = await monitors()
    const errors = made.find(({ name }) => name === 'breakwater: Errors')
    expect(errors).toMatchObject({
      type: 'metric_issue',
      dataSources: [
        { queryObj: { snubaQuery: { aggregate: 'count()', timeWindow: 300, environment: 'production' } } },
      ],
      config: { detectionType: 'static' },
      conditionGroup: {
        conditions: [
          { type: 'gt', comparison: 50, conditionResult: 75 },
          { type: 'gt', comparison: 20, conditionResult: 50 },
          { type: 'lte', comparison: 20, conditionResult: 0 },
        ],
      },
    })
    const slow = made.find(({ name }) => name === 'breakwater: Slow')
    const many = (await workflows()).find(({ detectorIds }) => detectorIds?.includes(slow?.id ?? ''))
    expect(many).toMatchObject({
      name: 'breakwater: Too many',
      detectorIds: [errors?.id, slow?.id],
      config: { frequency: 5 },
      actionFilters: [
        {
          actions: [
            { type: 'email', config: { targetType: 'team', targetIdentifier: '4711' } },
            { type: 'slack', integrationId: '12', config: { targetDisplay: 'ops' } },
          ],
        },
      ],
    })

    const stats = standIn.stats().total
    const second = await alerts(['apply'])
    expect(second).toMatchObject({ code: 0, out: 'All 7 are as declared.\n' })
    expect(standIn.stats().total - stats, 'it only looked').toBe(4)
    expect((await alerts(['plan', '--check'])).code).toBe(0)
  })

  it('shows what somebody changed by hand as drift, sets it back, and leaves what is not ours alone', async () => {
    await alerts(['apply'])
    const errors = (await monitors()).find(({ name }) => name === 'breakwater: Errors') as Kept
    await api(`organizations/acme/detectors/${errors.id}/`, 'PUT', {
      name: errors.name,
      type: 'metric_issue',
      dataSources: [
        {
          aggregate: 'count()',
          dataset: 'events',
          eventTypes: ['error', 'default'],
          environment: 'production',
          query: 'is:unresolved',
          timeWindow: 300,
        },
      ],
      config: { detectionType: 'static' },
      conditionGroup: {
        logicType: 'any',
        conditions: [
          { type: 'gt', comparison: 5000, conditionResult: 75 },
          { type: 'gt', comparison: 20, conditionResult: 50 },
          { type: 'lte', comparison: 20, conditionResult: 0 },
        ],
      },
    })
    const stream = (await monitors()).find(({ type }) => type === 'issue_stream') as Kept
    const theirs = (await api('organizations/acme/workflows/', 'POST', {
      name: 'Somebody else’s',
      config: { frequency: 60 },
      detectorIds: [stream.id],
      triggers: { logicType: 'any-short', conditions: [] },
      actionFilters: [],
    })) as Kept

    const plan = await alerts(['plan', '--check'])
    expect(plan.code).toBe(1)
    expect(plan.out).toContain('~ monitor "breakwater: Errors": has drifted from the file')
    expect(plan.out).toContain('conditions[0].comparison: 5000 in Sentry, 50 in the file')
    expect(plan.out).not.toContain('Somebody')

    expect((await alerts(['apply'])).code).toBe(0)
    expect((await alerts(['plan', '--check'])).code).toBe(0)
    expect((await workflows()).some(({ id }) => id === theirs.id)).toBe(true)
  })

  it('removes what is no longer in the file, alerts before the monitors they name', async () => {
    await alerts(['apply'])
    const less = { ...declared, monitors: declared.monitors?.slice(1), alerts: declared.alerts.slice(0, 1) }
    const plan = await alerts(['plan', '--json'], less)
    const steps = JSON.parse(plan.out) as { monitors: object[]; alerts: object[]; same: number }
    expect(steps).toMatchObject({
      monitors: [{ kind: 'remove', name: 'breakwater: Errors' }],
      alerts: [{ kind: 'remove' }, { kind: 'remove' }],
      same: 4,
    })
    const applied = await alerts(['apply'], less)
    expect(applied.out.indexOf('removed the alert')).toBeLessThan(applied.out.indexOf('removed the monitor'))
    const id = new Set((await monitors()).map((one) => one.id))
    expect((await workflows()).filter((one) => one.detectorIds?.some((of) => id.has(of))).length).toBe(1)
  })

  it('leaves another project’s alerts alone that go by the same names', async () => {
    await alerts(['apply'])
    const before = (await workflows()).length
    project = `${project}-other`
    expect((await alerts(['plan'])).out).not.toContain('- alert')
    await alerts(['apply'])
    expect((await workflows()).length).toBe(before + 3)
  })

  it('finds an alert again whose monitors somebody removed, instead of making a second', async () => {
    await alerts(['apply'])
    const before = (await workflows()).length
    for (const one of await monitors())
      if (one.type === 'metric_issue') await api(`organizations/acme/detectors/${one.id}/`, 'DELETE')
    const plan = await alerts(['plan'])
    expect(plan.out).toContain('~ alert "breakwater: Too many"')
    expect((await alerts(['apply'])).code).toBe(0)
    expect((await workflows()).length).toBe(before)
  })

  it('reads lists of more than a page', async () => {
    const many = {
      alerts: Array.from({ length: 120 }, (_, i) => ({ name: `n${i}`, notify: [{ owners: 'NoOne' }] })),
    }
    expect((await alerts(['apply'], many)).code).toBe(0)
    expect(await alerts(['plan', '--check'], many)).toMatchObject({
      code: 0,
      out: 'All 120 are as declared.\n',
    })
  })

  it.each([
    [401, /does not know the token/],
    [403, /may not read .* needs the scopes alerts:read/],
    [404, /has no project at acme\/shop/],
    [410, /given up the endpoint/],
    [500, /Sentry failed at project \(500\)/],
  ])('says in a sentence what a %i means', async (status, sentence) => {
    standIn.faults.set([{ status, match: '/api/0/' }])
    const said = await alerts(['apply'])
    expect(said).toMatchObject({ code: 1, out: '' })
    expect(said.err).toMatch(sentence)
    expect(said.err.trim().split('\n').length).toBe(1)
  })

  it('waits out a short rate limit, and says how long a long one is', async () => {
    standIn.faults.set([{ status: 429, times: 1, headers: { 'retry-after': '1' } }])
    expect((await alerts(['plan'])).code).toBe(0)
    standIn.faults.set([{ status: 429, headers: { 'retry-after': '3600' } }])
    const said = await alerts(['plan'])
    expect(said.code).toBe(1)
    expect(said.err).toMatch(/3600 s/)
  })

  it('does not make a thing twice when the answer got lost', async () => {
    standIn.faults.set([{ drop: 'after', times: 1, match: 'POST ' }])
    const said = await alerts(['apply'])
    expect(said.err).toMatch(/It may have been done all the same/)
    expect((await alerts(['apply'])).code).toBe(0)
    expect((await monitors()).filter(({ name }) => name === 'breakwater: Errors').length).toBe(1)
  })

  it.each([
    ['no token', {}, { SENTRY_AUTH_TOKEN: '' }, /SENTRY_AUTH_TOKEN is not set/],
    ['a token over plain HTTP', {}, { SENTRY_URL: 'http://sentry.example' }, /must be https/],
    [
      'no line',
      { monitors: [{ name: 'a', measure: 'errors', window: '5 m' }] },
      {},
      /monitor "a": needs one of/,
    ],
    [
      'an odd window',
      { monitors: [{ name: 'a', measure: 'errors', window: '5 s', above: 1 }] },
      {},
      /window/,
    ],
    ['a name twice', { alerts: [declared.alerts[0], declared.alerts[0]] }, {}, /twice/],
    [
      'an unknown monitor',
      { alerts: [{ name: 'a', monitors: ['b'], notify: [{ team: '1' }] }] },
      {},
      /no monitor "b"/,
    ],
    ['nobody to tell', { alerts: [{ name: 'a', notify: [] }] }, {}, /notify needs somebody/],
  ])('refuses %s before anything is sent', async (_what, more, env, sentence) => {
    const before = standIn.stats().total
    const said = await alerts(['apply'], { alerts: [], ...more }, env as Record<string, string>)
    expect(said.code).toBe(2)
    expect(said.err).toMatch(sentence)
    expect(standIn.stats().total).toBe(before)
  })
})
