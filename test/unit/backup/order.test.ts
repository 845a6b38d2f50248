import fc from 'fast-check'
import { expect, it } from 'vitest'
import { loadOrder } from '../../../src/cli/backup/order.ts'

const names = ['a', 'b', 'c', 'd', 'e', 'f']
const references = fc.array(fc.record({ from: fc.constantFrom(...names), to: fc.constantFrom(...names) }), {
  maxLength: 15,
})

it('loads every table once, and what a row names before it, but for the references given apart', () => {
  fc.assert(
    fc.property(references, (all) => {
      const { order, late } = loadOrder(names, all)
      expect([...order].sort()).toEqual(names)
      for (const reference of all) {
        if (reference.from === reference.to || late.includes(reference)) continue
        expect(order.indexOf(reference.to)).toBeLessThan(order.indexOf(reference.from))
      }
    }),
  )
})

it('gives nothing apart where there is no circle', () => {
  fc.assert(
    fc.property(references, (all) => {
      const acyclic = all.filter(({ from, to }) => from > to)
      expect(loadOrder(names, acyclic).late).toEqual([])
    }),
  )
})

it('breaks a circle at one reference, and minds no table that names itself', () => {
  const circle = [
    { from: 'a', to: 'b' },
    { from: 'b', to: 'a' },
    { from: 'c', to: 'c' },
  ]
  expect(loadOrder(['a', 'b', 'c'], circle).late).toHaveLength(1)
})
