/** Fed so much at once: a piece may unpack to a thousand times its size, all of which is then in memory. */
const PIECE = 4096

/**
 * How many bytes a gzip stream unpacks to; Infinity as soon as it is more than `most`; undefined when it is broken, or
 * has something behind its end. Nothing is kept. What a gzip says of its own size is not believed.
 */
export async function unpackedSize(
  stream: ReadableStream<Uint8Array>,
  most: number,
): Promise<number | undefined> {
  const source = stream.getReader()
  const { readable, writable } = new DecompressionStream('gzip')
  const [reader, writer] = [readable.getReader(), writable.getWriter()]
  const feeding = async (): Promise<void> => {
    for (let chunk = await source.read(); !chunk.done; chunk = await source.read()) {
      for (let at = 0; at < chunk.value.length; at += PIECE) {
        await writer.write(chunk.value.slice(at, at + PIECE))
      }
    }
    await writer.close()
  }
  const fed = feeding()
  fed.catch(() => {})
  let size = 0
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      size += chunk.value.length
      if (size > most) return Number.POSITIVE_INFINITY
    }
    await fed
    return size
  } catch {
    return undefined
  } finally {
    const over = new Error('seen enough')
    await Promise.allSettled([source.cancel(over), reader.cancel(over), writer.abort(over)])
  }
}
