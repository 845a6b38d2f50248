import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { UploadRow } from '../../../src/uploads/records.ts'
import { serve } from '../../../src/uploads/serve.ts'
import { modelRange, rangeFields } from './range-model.ts'

/** A bucket that has one object and hands out what it is asked for. */
function bucketOf(bytes: Uint8Array<ArrayBuffer>): R2Bucket {
  return {
    get: async (_key: string, { range }: { range: { offset: number; length: number } }) => ({
      version: 'v',
      body: new Blob([bytes.slice(range.offset, range.offset + range.length)]).stream(),
    }),
  } as unknown as R2Bucket
}

const when = new Date('2026-11-01T10:00:00Z')

/** Serves random ranges of random files and compares each with the model. Rejects with the first difference. */
export async function proveRanges(numRuns: number, seed?: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      fc
        .uint8Array({ minLength: 1, maxLength: 300 })
        .chain((bytes) => fc.tuple(fc.constant(bytes), rangeFields(bytes.length))),
      async ([bytes, range]) => {
        const row = {
          key: 'k', type: 'image/png', originalName: 'a.png', size: bytes.length, sha256: '0'.repeat(64), version: 'v',
          publishedAt: when, createdAt: when,
        } as unknown as UploadRow // biome-ignore format: what serving looks at
        const options = {
          bucket: bucketOf(Uint8Array.from(bytes)),
          inline: new Set<string>(),
          visibility: 'owner' as const,
        }
        const wanted = modelRange(new Headers({ range }).get('range') ?? '', bytes)
        const reply = await serve(new Request('http://x/', { headers: { range } }), row, options).catch(
          (error: { status: number; headers: Record<string, string> }) => error,
        )
        if (wanted === 'unsatisfiable') {
          assert.equal(reply.status, 416)
          assert.equal(new Headers(reply.headers).get('content-range'), `bytes */${bytes.length}`)
          return
        }
        assert.equal(reply.status, wanted === undefined ? 200 : 206)
        const body = new Uint8Array(await (reply as Response).arrayBuffer())
        assert.deepEqual([...body], [...(wanted ?? bytes)])
        assert.equal(new Headers(reply.headers).get('content-length'), String(body.length))
      },
    ),
    { numRuns, ...(seed !== undefined && { seed }) },
  )
}
