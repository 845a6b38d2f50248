import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { prefersHtml } from '../../../src/core/accept.ts'
import { describeError, scrub } from '../../../src/core/describe.ts'
import { uuidv7 } from '../../../src/core/ids.ts'
import { continueTrace, traceparent } from '../../../src/core/trace.ts'

describe('Accept', () => {
  const cases: [string | null, boolean][] = [
    [null, false],
    ['', false],
    ['*/*', false],
    ['text/html', true],
    ['TEXT/HTML', true],
    ['text/*', true],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['application/json', false],
    ['application/json, text/html;q=0.9', false],
    ['text/html;q=0.5, application/problem+json', false],
    ['application/json;q=0.1, text/html ; q=0.2', true],
    ['text/html;q=0', false],
    ['text/html;q=0, */*', false],
    ['text/*;q=0.9, text/html;q=0.1, application/json;q=0.5', false],
    ['text/html;level=1;q=0.7, */*;q=0.1', true],
    ['text/html, */*', false],
    ['image/png', false],
    [`text/html,${'a/b,'.repeat(1000)}`, false],
  ]
  for (const [accept, html] of cases) {
    it(`${String(accept).slice(0, 80)} is answered with ${html ? 'HTML' : 'JSON'}`, () => {
      expect(prefersHtml(accept)).toBe(html)
    })
  }

  it('takes any text', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof prefersHtml(`text/html;${text}`) === 'boolean'))
  })
})

describe('traceparent', () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
  const parent = '00f067aa0ba902b7'

  it('is continued with a span of our own', () => {
    const context = continueTrace(`00-${trace}-${parent}-01`, 'vendor=abc')
    expect(context).toMatchObject({
      traceId: trace,
      parentSpanId: parent,
      sampled: true,
      state: 'vendor=abc',
    })
    expect(context?.spanId).toMatch(/^[0-9a-f]{16}$/)
    expect(context?.spanId).not.toBe(parent)
    expect(continueTrace(`00-${trace}-${parent}-00`)?.sampled).toBe(false)
    expect(continueTrace(`00-${trace}-${parent}-03`)?.sampled).toBe(true)
  })

  it('of a later version may have more fields', () => {
    expect(continueTrace(`01-${trace}-${parent}-01-more`)?.traceId).toBe(trace)
    expect(continueTrace(`cc-${trace}-${parent}-01`)?.traceId).toBe(trace)
  })

  const invalid = [
    null,
    '',
    `ff-${trace}-${parent}-01`,
    `00-${trace}-${parent}-01-more`,
    `00-${trace}-${parent}-01-`,
    `01-${trace}-${parent}-01more`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${parent}-01`,
    `00-${trace}-${parent}`,
    `00-${trace}-${parent}-1`,
    ` 00-${trace}-${parent}-01`,
    `00-${trace}-${parent}-01\n`,
    `00-${trace}-${parent}-01, 00-${trace}-${parent}-01`,
  ]
  for (const header of invalid) {
    it(`begins a new trace for ${JSON.stringify(header)}`, () => {
      expect(continueTrace(header)).toBeUndefined()
    })
  }

  it('drops a tracestate that is no header value', () => {
    for (const state of ['a\nb=c', 'x'.repeat(513), 'ü=1']) {
      expect(continueTrace(`00-${trace}-${parent}-01`, state)?.state).toBeUndefined()
    }
  })

  it('reads what it wrote', () => {
    const hex = (length: number) =>
      fc
        .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
        .map((digits) => digits.map((digit) => digit.toString(16)).join(''))
        .filter((id) => !/^0+$/.test(id))
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        expect(continueTrace(traceparent({ traceId, spanId, sampled }))).toMatchObject({
          traceId,
          parentSpanId: spanId,
          sampled,
        })
      }),
    )
  })
})

it('makes UUIDs of version 7 that carry their time, sort by it, and do not repeat', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (time) => {
      const id = uuidv7(time)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(time)
    }),
  )
  expect(new Set(Array.from({ length: 5000 }, () => uuidv7(1))).size).toBe(5000)
})

describe('the last resort of error output', () => {
  it('keeps ordinary messages and drops what could be a secret, with the word after it', () => {
    expect(scrub("Cannot read properties of undefined (reading 'x')")).toBe(
      "Cannot read properties of undefined (reading 'x')",
    )
    expect(scrub('connect postgres://a:b@c/d failed')).not.toMatch(/postgres|failed/)
    expect(scrub('password: swordfish was wrong')).not.toContain('swordfish')
    expect(scrub('Failed query: insert\nparams: ann,secret')).not.toMatch(/ann|secret/)
  })

  it('describes causes and stops at cycles', () => {
    const error = new Error('a')
    error.cause = error
    expect(JSON.stringify(describeError(error)).length).toBeLessThan(20_000)
    expect(describeError('x')).toMatchObject({ name: 'string', message: 'x' })
  })
})
