import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backupId, startOf } from '../../../src/backup/id.ts'
import { abandoned, expired, type Kept } from '../../../src/backup/retention.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-22T03:17:00Z')

const backups = fc
  .uniqueArray(fc.record({ age: fc.integer({ min: 0, max: 200 }), proven: fc.boolean() }), {
    selector: ({ age }) => age,
    maxLength: 40,
  })
  .map((all): Kept[] =>
    all.map(({ age, proven }) => ({ id: `b${age}`, finishedAt: NOW - age * DAY, proven })),
  )

describe('pruning', () => {
  it('never deletes the newest backup, nor the newest that was proven', () => {
    fc.assert(
      fc.property(backups, fc.integer({ min: 1, max: 60 }), (all, days) => {
        const gone = new Set(expired(all, NOW, days * DAY))
        const newest = [...all].sort((a, b) => b.finishedAt - a.finishedAt)
        const proven = newest.find((one) => one.proven)
        expect(newest[0] !== undefined && gone.has(newest[0].id)).toBe(false)
        expect(proven !== undefined && gone.has(proven.id)).toBe(false)
      }),
    )
  })

  it('deletes nothing inside of its time, and all else outside of it', () => {
    fc.assert(
      fc.property(backups, fc.integer({ min: 1, max: 60 }), (all, days) => {
        const gone = new Set(expired(all, NOW, days * DAY))
        for (const { id, finishedAt } of all) {
          if (NOW - finishedAt <= days * DAY) expect(gone.has(id)).toBe(false)
        }
        const keptBeyond = all.filter(({ id, finishedAt }) => NOW - finishedAt > days * DAY && !gone.has(id))
        expect(keptBeyond.length).toBeLessThanOrEqual(2)
      }),
    )
  })

  it('once done, has nothing more to do', () => {
    fc.assert(
      fc.property(backups, (all) => {
        const gone = new Set(expired(all, NOW, 30 * DAY))
        expect(
          expired(
            all.filter(({ id }) => !gone.has(id)),
            NOW,
            30 * DAY,
          ),
        ).toEqual([])
      }),
    )
  })

  it('clears what a dead run left, a day later, and never a complete backup', () => {
    const begun = [
      { id: 'complete', startedAt: NOW - 9 * DAY },
      { id: 'dead', startedAt: NOW - 2 * DAY },
      { id: 'running', startedAt: NOW - 3_600_000 },
    ]
    expect(abandoned(begun, new Set(['complete']), NOW)).toEqual(['dead'])
  })
})

describe('a backup’s id', () => {
  it('tells when it began and sorts by it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 0, max: 4e12 }), (a, b) => {
        expect(startOf(backupId(a))).toBe(Math.floor(a / 1000) * 1000)
        if (Math.floor(a / 1000) < Math.floor(b / 1000)) expect(backupId(a) < backupId(b)).toBe(true)
      }),
    )
  })

  it('is not mistaken for other keys in the bucket', () => {
    expect(startOf('readme.txt')).toBeUndefined()
    expect(startOf('20261122T031700Z')).toBeUndefined()
    expect(startOf('20269999T999999Z-00000000')).toBeUndefined()
  })
})
