import { toBytes } from '../core/bytes.ts'

/** Which chunk of which table of which backup. Bound to the ciphertext, so that no chunk passes for another. */
export interface ChunkPlace {
  /** The backup's id. */
  readonly backup: string
  /** The table's place in the manifest. */
  readonly table: number
  /** `schema.table`. */
  readonly name: string
  /** The chunk's place in its table. */
  readonly chunk: number
}

/**
 * 96 bits: the table's number and the chunk's. Unique under a key that belongs to one backup, which is all that GCM
 * asks of a nonce (NIST SP 800-38D, section 8.2.1).
 */
function nonce({ table, chunk }: ChunkPlace): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint32(4, table)
  view.setUint32(8, chunk)
  return bytes
}

function parameters(place: ChunkPlace): SubtleCryptoEncryptAlgorithm {
  const { backup, table, name, chunk } = place
  const additionalData = toBytes(JSON.stringify(['breakwater backup v1', backup, table, name, chunk]))
  return { name: 'AES-GCM', iv: nonce(place), additionalData }
}

async function through(
  chunks: readonly Uint8Array[],
  transform: CompressionStream | DecompressionStream,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces = chunks as readonly Uint8Array<ArrayBuffer>[]
  const writer = transform.writable.getWriter()
  const write = (async () => {
    for (const piece of pieces) await writer.write(piece)
    await writer.close()
  })()
  // A damaged input fails on both sides; one of them is enough.
  write.catch(() => {})
  const bytes = new Uint8Array(await new Response(transform.readable as ReadableStream).arrayBuffer())
  await write
  return bytes
}

/** Compresses (gzip) and encrypts (AES-256-GCM) a chunk. */
export async function sealChunk(
  key: CryptoKey,
  place: ChunkPlace,
  plain: readonly Uint8Array[],
): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await through(plain, new CompressionStream('gzip'))
  return new Uint8Array(await crypto.subtle.encrypt(parameters(place), key, packed))
}

/** Undoes {@link sealChunk}. Rejects when the chunk is damaged, or is another than the one asked for. */
export async function openChunk(
  key: CryptoKey,
  place: ChunkPlace,
  sealed: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Uint8Array(await crypto.subtle.decrypt(parameters(place), key, sealed))
  return through([packed], new DecompressionStream('gzip'))
}
