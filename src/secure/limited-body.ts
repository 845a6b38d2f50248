import { JsonDepth } from './json-depth.ts'

/** How {@link limitedBody} limits. */
export interface BodyBounds {
  /** Bytes. */
  readonly limit: number
  /** Levels of JSON nesting; infinite for what is not JSON. */
  readonly depth: number
  /** The length that was declared, to be kept known. */
  readonly declared: number | undefined
  /** Makes the error that ends the stream. */
  refuse(reason: 'size' | 'depth'): Error
}

/** A stream of the same bytes that fails as soon as they break a bound. Takes nothing from the source before it is read. */
export function limitedBody(
  source: ReadableStream<Uint8Array>,
  bounds: BodyBounds,
): ReadableStream<Uint8Array> {
  const { limit, declared } = bounds
  // A body that is longer than it said is not what was let in.
  const max = declared === undefined ? limit : Math.min(limit, declared)
  const nesting = bounds.depth === Number.POSITIVE_INFINITY ? undefined : new JsonDepth(bounds.depth)
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let size = 0
  const limited = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        reader ??= source.getReader()
        const { done, value } = await reader.read()
        if (done) {
          controller.close()
          return
        }
        size += value.byteLength
        const broken = size > max ? 'size' : nesting?.accepts(value) === false ? 'depth' : undefined
        if (broken === undefined) {
          controller.enqueue(value)
          return
        }
        const error = bounds.refuse(broken)
        controller.error(error)
        // The rest is never taken; a source that objects changes nothing.
        reader.cancel(error).catch(() => {})
      },
      cancel: (reason) => (reader ? reader.cancel(reason) : source.cancel(reason)),
    },
    { highWaterMark: 0 },
  )
  if (declared === undefined || typeof FixedLengthStream === 'undefined') return limited
  return limited.pipeThrough(new FixedLengthStream(declared))
}
