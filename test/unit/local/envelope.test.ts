import {
  createEnvelope,
  type Envelope,
  parseEnvelope as parseByOracle,
  serializeEnvelope,
} from '@sentry/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EnvelopeError, parseEnvelope } from '../../../src/local/sentry/envelope.ts'
import { toRecord } from '../../../src/local/sentry/record.ts'

// The SDK's own reader takes an explicit length of 0 for none, so it is no oracle for empty attachments.
describe("Sentry's envelopes", () => {
  it('are read as its own SDK writes them', () => {
    const item = fc.oneof(
      fc.record({
        type: fc.constantFrom('event', 'transaction', 'check_in'),
        payload: fc.dictionary(fc.string(), fc.string()),
      }),
      fc.record({ type: fc.constant('attachment'), payload: fc.uint8Array({ minLength: 1 }) }),
    )
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.string()),
        fc.array(item, { minLength: 1, maxLength: 4 }),
        (header, items) => {
          const envelope = createEnvelope(
            header as never,
            items.map(({ type, payload }) => [
              payload instanceof Uint8Array ? { type, length: payload.length } : { type },
              payload,
            ]) as never,
          ) as Envelope
          const bytes = Buffer.from(serializeEnvelope(envelope))
          const ours = parseEnvelope(bytes)
          const [oracleHeader, oracleItems] = parseByOracle(bytes)
          expect(ours.header).toEqual(oracleHeader)
          expect(ours.items.map(({ header }) => header)).toEqual(oracleItems.map(([header]) => header))
          expect(ours.items.map(({ payload }) => payload.toString('latin1'))).toEqual(
            items.map(({ payload }) =>
              Buffer.from(payload instanceof Uint8Array ? payload : JSON.stringify(payload)).toString(
                'latin1',
              ),
            ),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  it.each([
    ['{}', 0],
    ['{}\n', 0],
    ['{}\n\n\n', 0],
    ['{}\n{"type":"event"}\n{}', 1],
    ['{}\n{"type":"event"}\n{}\n\n{"type":"event","length":2}\n{}\n', 2],
    ['{}\n{"type":"event","length":0}\n\n', 1],
    ['{}\n{"type":"x","length":3}\na\nb', 1],
  ])('are read with as few and as many newlines as are allowed: %j', (text, items) => {
    expect(parseEnvelope(Buffer.from(text)).items).toHaveLength(items)
  })

  it.each([
    '',
    'garbage',
    '[]',
    '{}\nx',
    '{}\n{}',
    '{}\n{"type":1}',
    '{}\n{"type":"e","length":9}\n{}',
    '{}\n{"type":"e","length":-1}\n',
    '{}\n{"type":"e","length":1}\n{}\n',
  ])('are refused when they are %j', (text) => {
    expect(() => parseEnvelope(Buffer.from(text))).toThrow(EnvelopeError)
  })

  it('fail in no other way, whatever the bytes', () => {
    const soup = fc.array(
      fc.oneof(fc.constantFrom('{}', '\n', '{"type":"event"}', '{"type":"a","length":2}'), fc.string()),
    )
    fc.assert(
      fc.property(soup, (parts) => {
        try {
          for (const item of parseEnvelope(Buffer.from(parts.join(''))).items) toRecord('1', {}, item)
        } catch (error) {
          expect(error).toBeInstanceOf(EnvelopeError)
        }
      }),
    )
  })
})

describe('what was captured', () => {
  const title = (type: string, payload: unknown): string =>
    toRecord('1', {}, { header: { type }, payload: Buffer.from(JSON.stringify(payload)) }).title

  it.each([
    [
      'event',
      {
        exception: {
          values: [
            { type: 'Cause', value: 'a' },
            { type: 'TypeError', value: 'b' },
          ],
        },
      },
      'TypeError: b',
    ],
    ['event', { exception: [{ type: 'Error' }] }, 'Error'],
    ['event', { message: 'said' }, 'said'],
    ['event', { message: { formatted: 'said' } }, 'said'],
    ['event', { logentry: { message: 'said' } }, 'said'],
    ['event', null, 'event'],
    ['transaction', { transaction: 'GET /me' }, 'GET /me'],
    ['check_in', { monitor_slug: 'backup', status: 'ok' }, 'backup: ok'],
    [
      'client_report',
      { discarded_events: [{ quantity: 2, category: 'error', reason: 'ratelimit_backoff' }] },
      'dropped: 2 error (ratelimit_backoff)',
    ],
    ['profile', {}, 'profile'],
  ])('has a title: %s %j', (type, payload, wanted) => {
    expect(title(type, payload)).toBe(wanted)
  })

  it('keeps bytes that are no text', () => {
    const payload = Buffer.from([0xff, 0xfe, 0x00])
    expect(toRecord('1', {}, { header: { type: 'attachment' }, payload }).payload).toBe(
      payload.toString('base64'),
    )
  })
})
