import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader } from '../../../src/local/frames.ts'

interface Frame {
  readonly opcode: number
  readonly final: boolean
  readonly payload: Uint8Array
  readonly mask: Uint8Array | undefined
}

/** RFC 6455, section 5.2, written independently of the reader. */
function encode({ opcode, final, payload, mask }: Frame): Buffer {
  const length = payload.length
  const head = [(final ? 0x80 : 0) | opcode]
  const bit = mask ? 0x80 : 0
  if (length < 126) head.push(bit | length)
  else if (length < 65_536) head.push(bit | 126, length >> 8, length & 255)
  else
    head.push(bit | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255)
  const body = mask ? payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0)) : payload
  return Buffer.concat([Buffer.from(head), mask ?? Buffer.alloc(0), body])
}

const payload = fc.oneof(
  fc.uint8Array({ maxLength: 130 }),
  fc.constantFrom(125, 126, 65_535, 65_536).map((length) => new Uint8Array(length).fill(7)),
)
const mask = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }), { nil: undefined })

/** A data message of one or more frames, with pings between them. */
const message = fc.tuple(fc.array(payload, { minLength: 1, maxLength: 3 }), mask).map(([parts, mask]) => ({
  bytes: Buffer.concat(
    parts.flatMap((payload, i) => [
      encode({ opcode: i === 0 ? 2 : 0, final: i === parts.length - 1, payload, mask }),
      encode({ opcode: 9, final: true, payload: Buffer.from('ping'), mask }),
    ]),
  ),
  payload: Buffer.concat(parts),
}))

describe('WebSocket frames going by', () => {
  it('are told apart however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 4 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 3000 })),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map(({ bytes }) => bytes))
          const reader = new FrameReader()
          const seen: Buffer[] = []
          for (let at = 0; at < bytes.length; ) {
            const size = cuts.next().value ?? 1
            for (const { payload } of reader.read(bytes.subarray(at, at + size))) seen.push(payload)
            at += size
          }
          expect(seen.length).toBe(messages.length)
          messages.forEach(({ payload }, i) => {
            expect(seen[i]?.equals(payload.subarray(0, 65_536))).toBe(true)
          })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('are told apart byte by byte', () => {
    const bytes = encode({
      opcode: 1,
      final: true,
      payload: Buffer.from('hello'),
      mask: Uint8Array.of(1, 2, 3, 4),
    })
    const reader = new FrameReader()
    const seen = [...bytes].flatMap((byte) => reader.read(Buffer.of(byte)))
    expect(seen.map(({ payload }) => payload.toString())).toEqual(['hello'])
  })

  it('count an empty message', () => {
    const empty = encode({
      opcode: 2,
      final: true,
      payload: new Uint8Array(),
      mask: Uint8Array.of(1, 2, 3, 4),
    })
    expect(new FrameReader().read(Buffer.concat([empty, empty]))).toHaveLength(2)
  })
})
