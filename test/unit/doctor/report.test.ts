import { readFileSync } from 'node:fs'
import { checks, type DoctorCheck, examine, failsAt, toText } from 'breakwater/doctor'
import { expect, it } from 'vitest'
import { docsOf } from '../../../src/doctor/report.ts'
import { project } from './support.ts'

const made = (id: string, level: DoctorCheck['level'], run: DoctorCheck['run']): DoctorCheck => ({
  id,
  level,
  title: `Title of ${id}`,
  run,
})
const fails = () => ({ status: 'fail' as const, findings: [{ message: 'is wrong', hint: 'put it right' }] })
const passes = () => ({ status: 'pass' as const })

it('counts, and says where each finding is explained', async () => {
  const report = await examine(
    [
      made('A-1', 'error', passes),
      made('B-2', 'warn', fails),
      made('C-3', 'info', () => ({ status: 'skip', reason: 'no reason' })),
    ],
    project(),
  )
  expect(report).toMatchObject({
    environment: 'the top level',
    failed: { error: 0, warn: 1, info: 0 },
    passed: 1,
    skipped: 1,
  })
  const text = toText(report)
  for (const part of [
    '✓ pass   A-1',
    '✗ warn   B-2',
    'is wrong',
    '→ put it right',
    'docs/doctor.md#b-2',
    'skipped: no reason',
    '0 errors, 1 warning, 0 info, 1 passed, 1 skipped',
  ]) {
    expect(text).toContain(part)
  }
})

it.each([
  ['error', false, false, true],
  ['warn', false, true, true],
  ['info', true, true, true],
  ['never', false, false, false],
] as const)('--fail-on %s', async (threshold, ...expected) => {
  const results = []
  for (const level of ['info', 'warn', 'error'] as const) {
    results.push(failsAt(await examine([made('A-1', level, fails)], project()), threshold))
  }
  expect(results).toEqual(expected)
})

it('leaves out what is silenced, and says so when there is no such check', async () => {
  const report = await examine([made('A-1', 'error', fails)], project(), ['A-1', 'A-2'])
  expect(report.checks).toMatchObject([{ status: 'skip', reason: 'silenced in package.json' }])
  expect(report.notes).toEqual(['package.json silences A-2, which no check is called'])
  expect(failsAt(report, 'info')).toBe(false)
})

it('counts a check that breaks as failed', async () => {
  const broken = made('A-1', 'error', () => Promise.reject(new Error('surprise')))
  const report = await examine([broken, made('B-2', 'error', passes)], project())
  expect(report.checks[0]).toMatchObject({
    status: 'fail',
    findings: [{ message: 'The check broke: surprise' }],
  })
  expect(report.passed).toBe(1)
})

it.each(checks.map((check) => [check.id, check] as const))(
  '%s has a short title and a section in the docs',
  (id, check) => {
    const file = id.startsWith('DB-') ? 'db' : 'doctor'
    const docs = readFileSync(`${import.meta.dirname}/../../../docs/${file}.md`, 'utf8')
    expect(check.title.length).toBeLessThan(80)
    expect(docs).toMatch(new RegExp(`^### ${id}$`, 'm'))
    expect(docsOf(id)).toBe(`docs/${file}.md#${id.toLowerCase()}`)
    const section = docs.split(new RegExp(`^### ${id}$`, 'm'))[1]?.split(/^##/m)[0] ?? ''
    expect(section).toContain(check.title)
    expect(section).toContain(check.level)
  },
)

it('no two checks share an id, and docs/doctor.md explains no other', () => {
  const ids = checks.map((check) => check.id)
  expect(new Set(ids).size).toBe(ids.length)
  const own = ids.filter((id) => !id.startsWith('DB-'))
  const docs = readFileSync(`${import.meta.dirname}/../../../docs/doctor.md`, 'utf8')
  expect([...docs.matchAll(/^### ([A-Z]+-\d+)$/gm)].map((match) => match[1]).sort()).toEqual(own.sort())
})
