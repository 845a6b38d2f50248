import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (path: string): string => readFileSync(`${import.meta.dirname}/../../../${path}`, 'utf8')

it('explains every code, and only codes that exist', () => {
  const union = /export type ErrorCode =([\s\S]*?)\n\n/.exec(read('src/core/errors.ts'))?.[1] ?? ''
  const codes = [...union.matchAll(/\| '([a-z-]+)'/g)].map(([, code]) => code)
  const table = read('docs/errors.md').split('## Codes')[1] ?? ''
  const explained = [...table.matchAll(/^\| `([a-z-]+)` \| \d{3} \|/gm)].map(([, code]) => code)
  expect(codes.length).toBeGreaterThan(20)
  expect(explained.sort()).toEqual(codes.sort())
})
