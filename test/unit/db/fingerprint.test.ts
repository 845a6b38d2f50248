import { fingerprint } from 'breakwater/db'
import fc from 'fast-check'
import { expect, it } from 'vitest'

it.each([
  ['select 1', 'select ?'],
  ['select * from users where id = $1', 'select * from users where id = ?'],
  ["select 'it''s', e'a\\'b', $$body$$, $tag$x$$y$tag$, x'ff'", 'select ?, ?, ?, ?, ?'],
  [
    'select "Weird 1 ""name""" from t1 -- secret\nwhere a = 1.5e3',
    'select "Weird 1 ""name""" from t1 where a = ?',
  ],
  ['select /* secret */ 1', 'select ?'],
  ['select * from t where id in ($1, $2, $3)', 'select * from t where id in (…)'],
  ['select * from t where id in ($1)', 'select * from t where id in (?)'],
  ['insert into t (a, b) values ($1, default), ($2, $3)', 'insert into t (a, b) values (…), …'],
  ['insert into t (a, b) values ($1, $2)', 'insert into t (a, b) values (…)'],
  ['select   a\n\tfrom t', 'select a from t'],
])('gives %s the shape %s', (sql, shape) => {
  expect(fingerprint(sql)).toBe(shape)
})

it('shows no literal, whatever is in it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (text, number) => {
      const literal = `'${text.replaceAll("'", "''")}'`
      expect(fingerprint(`select * from t where a = ${literal} and b = ${number}`)).toBe(
        'select * from t where a = ? and b = ?',
      )
    }),
  )
})

it('is never long', () => {
  expect(fingerprint(`select ${'a, '.repeat(1000)} b from t`).length).toBeLessThanOrEqual(300)
})

it('is the same for any number of rows and values', () => {
  const insert = (rows: number) =>
    fingerprint(`insert into t values ${Array.from({ length: rows }, () => '($1, $2)').join(', ')}`)
  expect(insert(2)).toBe(insert(50))
})
