import fc from 'fast-check'
import { expect, it } from 'vitest'
import { JsonDepth } from '../../../src/secure/json-depth.ts'
import { limitedBody } from '../../../src/secure/limited-body.ts'

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

function pieces(text: string, cuts: readonly number[]): Uint8Array[] {
  const bytes = new TextEncoder().encode(text)
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  let start = 0
  return ends.map((end) => {
    const piece = bytes.subarray(start, end)
    start = end
    return piece
  })
}

it('sees the true depth of any JSON, however its bytes are cut', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.array(fc.nat(), { maxLength: 5 }), (value, cuts) => {
      const depth = depthOf(value)
      const accepts = (limit: number): boolean => {
        const nesting = new JsonDepth(limit)
        return pieces(JSON.stringify(value), cuts).every((piece) => nesting.accepts(piece))
      }
      expect(accepts(depth)).toBe(true)
      if (depth > 0) expect(accepts(depth - 1)).toBe(false)
    }),
  )
})

it('never lets more bytes through than the limit, and never changes one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 8 }),
      fc.nat({ max: 100 }),
      async (chunks, limit) => {
        const whole = Buffer.concat(chunks)
        const source = new ReadableStream<Uint8Array>({
          start(controller) {
            for (const chunk of chunks) controller.enqueue(chunk)
            controller.close()
          },
        })
        const limited = limitedBody(source, {
          limit,
          depth: Number.POSITIVE_INFINITY,
          declared: undefined,
          refuse: (reason) => new Error(reason),
        })
        const outcome = await new Response(limited).arrayBuffer().catch((error: Error) => error.message)
        if (whole.length <= limit) expect(Buffer.from(outcome as ArrayBuffer)).toEqual(whole)
        else expect(outcome).toBe('size')
      },
    ),
  )
})
