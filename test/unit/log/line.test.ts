import fc from 'fast-check'
import { expect, it } from 'vitest'
import { member, timeText, toLine } from '../../../src/log/line.ts'

const anyText = fc.string({ unit: 'binary', maxLength: 40 })
const anyValue = fc.jsonValue()
const plainObject = (entries: readonly (readonly [string, unknown])[]): Record<string, unknown> =>
  Object.fromEntries(entries.filter(([name]) => name !== '__proto__'))

it('writes what JSON would have written, whatever the texts and values are', () => {
  fc.assert(
    fc.property(anyText, fc.integer(), fc.array(fc.tuple(anyText, anyValue)), (message, n, list) => {
      const fields = plainObject(list)
      const line = toLine(member('message', message) + member('n', n), fields)
      expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify({ ...fields, message, n })))
    }),
  )
})

it('lets nothing in a line begin another, or steer a terminal', () => {
  fc.assert(
    fc.property(anyText, anyText, (message, name) => {
      const line = toLine(member('message', message), plainObject([[name, message]]))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/)
    }),
  )
})

it('keeps its own members, whatever a caller calls his and whatever a text looks like', () => {
  const line = toLine(member('level', 'info') + member('message', '","status":1'), {
    level: 'error',
    status: 2,
    message: 'mine',
  })
  expect(JSON.parse(line)).toEqual({ level: 'info', message: '","status":1', status: 2 })
})

it('leaves out what has no value', () => {
  const line = toLine(member('a', 1) + member('b', undefined) + member('c', () => 1), { d: undefined })
  expect(line).toBe('{"a":1}')
})

it('writes time as toISOString does, to the millisecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8.64e15 / 100 }), (now) => {
      expect(timeText(now)).toBe(new Date(now).toISOString())
    }),
  )
})
