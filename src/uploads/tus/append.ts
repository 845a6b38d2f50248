import type { Env } from 'hono'
import { isBreakwaterError } from '../../core/errors.ts'
import { span } from '../../core/work.ts'
import { ahead, type ByteSource, fromStream, limited } from '../byte-source.ts'
import { checksumMismatch, storageUnavailable, wrongOffset, wrongType } from '../errors.ts'
import { finishTransfer } from '../finish.ts'
import { PartWriter } from '../part-writer.ts'
import type { ProcessContext } from '../process.ts'
import { endStatement } from '../records.ts'
import { agreeOnType, HEAD_BYTES } from '../sniff.ts'
import {
  LEASE_SECONDS,
  type Progress,
  releaseLease,
  renewLease,
  saveProgress,
  type Transfer,
} from '../transfer-records.ts'
import type { Checksum } from './fields.ts'

/** Bytes to go on with. The lease is held under `token`; {@link append} gives it up. */
export interface Appending<E extends Env> {
  readonly claimed: Transfer
  readonly token: string
  readonly body: ReadableStream<Uint8Array> | null
  readonly contentLength: number | undefined
  readonly checksum: Checksum | undefined
  readonly context: ProcessContext<E>
}

/**
 * Takes the bytes of one request. Without a checksum, whatever came is kept even when the client goes away in the
 * middle; with one, all of it is kept or nothing. Resolves with the new offset.
 */
export async function append<E extends Env>(work: Appending<E>): Promise<number> {
  const { claimed, token, checksum, context } = work
  const { upload, transfer } = claimed
  const { options, bucket } = context
  const { db } = options
  let renewedAt = Date.now()
  const held = (ok: boolean): void => {
    if (!ok) throw wrongOffset()
    renewedAt = Date.now()
  }
  let type: string | undefined
  const writer = new PartWriter(
    {
      bucket,
      key: upload.key,
      partBytes: transfer.partBytes,
      announced: work.contentLength,
      newTailKey: () => `${options.prefix}.tails/${upload.id}/${crypto.randomUUID()}`,
      contentType: () => type ?? upload.declaredType ?? undefined,
      async save(progress) {
        const writes = checksum === undefined
        held(
          writes
            ? await saveProgress(db, upload.id, token, progress, true)
            : await renewLease(db, upload.id, token),
        )
        return writes
      },
    },
    transfer,
  )
  const put = async (progress: Progress, keep: boolean): Promise<void> => {
    held(await saveProgress(db, upload.id, token, progress, keep))
    writer.keep()
  }

  try {
    await writer.open()
    let cut: unknown
    try {
      await span('object-store', 'append', () =>
        pump(work, writer, {
          judged: (found) => {
            type = found
          },
          alive: async () => {
            if (Date.now() - renewedAt > (LEASE_SECONDS * 1000) / 3)
              held(await renewLease(db, upload.id, token))
          },
        }),
      )
    } catch (error) {
      const outlasts =
        isBreakwaterError(error) && error.status < 500 && error.status !== 415 && error.status !== 409
      if (checksum !== undefined || !outlasts) throw error
      cut = error
    }
    if (writer.received === transfer.length) {
      const progress = await writer.end()
      // First the word that every byte is there: who dies behind it is mended by whoever comes next.
      await put(progress, false)
      await finishTransfer({ upload, transfer: { ...transfer, ...progress } }, context)
    } else {
      await put(await writer.suspend(), false)
    }
    if (transfer.tailKey !== null && writer.received !== transfer.receivedBytes) {
      await bucket.delete(transfer.tailKey).catch(() => {})
    }
    if (cut !== undefined) throw cut
    return writer.received
  } catch (error) {
    await writer.discard()
    if (isBreakwaterError(error) && error.status === 415) {
      await db.execute(endStatement(upload.id, 'rejected', { reason: error.code })).catch(() => {})
    }
    await releaseLease(db, upload.id, token).catch(() => {})
    throw isBreakwaterError(error) ? error : storageUnavailable(error)
  } finally {
    await writer.release()
  }
}

interface Watch {
  judged(type: string): void
  alive(): Promise<void>
}

async function pump<E extends Env>(work: Appending<E>, writer: PartWriter, watch: Watch): Promise<void> {
  const { claimed, body, contentLength, checksum, context } = work
  const { upload, transfer } = claimed
  const kind = context.options.kinds.get(upload.kind)
  const most = transfer.length ?? kind?.maxBytes ?? 0
  const metered = limited(body === null ? nothing : fromStream(body), {
    maxBytes: most - transfer.receivedBytes,
    stallMs: context.options.stallMs,
    ...(contentLength !== undefined && { length: contentLength }),
  })
  const source = ahead(metered)
  const digest = checksum && new crypto.DigestStream(checksum.algorithm)
  digest?.digest.catch(() => {})
  const hasher = digest?.getWriter()
  hasher?.closed.catch(() => {})

  let unjudged = transfer.etags.length === 0
  const judge = (final: boolean): void => {
    const { head } = writer
    if (!unjudged || head === undefined || kind === undefined) return
    if (!final && head.length < HEAD_BYTES) return
    const verdict = agreeOnType(head.subarray(0, HEAD_BYTES), upload.declaredType ?? undefined, kind.types)
    if (!verdict.ok) throw wrongType(verdict.detail, kind.types)
    unjudged = false
    watch.judged(verdict.type)
  }

  try {
    for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
      await hasher?.write(chunk)
      // The type is told before the first part can go.
      const first = unjudged ? Math.min(chunk.length, HEAD_BYTES) : 0
      if (first > 0) await writer.write(chunk.subarray(0, first))
      judge(writer.received === transfer.length)
      if (first < chunk.length) await writer.write(chunk.subarray(first))
      judge(writer.received === transfer.length)
      await watch.alive()
    }
    await hasher?.close()
    if (digest && checksum && !sameBytes(await digest.digest, checksum.value)) throw checksumMismatch()
  } catch (error) {
    await hasher?.abort(error).catch(() => {})
    await source.cancel(error)
    throw error
  }
}

const nothing: ByteSource = { read: async () => undefined, cancel: async () => {} }

function sameBytes(digest: ArrayBuffer, base64: string): boolean {
  return btoa(String.fromCharCode(...new Uint8Array(digest))) === base64
}
