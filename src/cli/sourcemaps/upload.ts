import { createHash } from 'node:crypto'
import { CommandFailed } from '../command.ts'
import type { SentryApi } from '../sentry-api.ts'

const SCOPES = 'org:ci, or project:releases and org:read'
/** Sentry puts a bundle together by itself; how long that is waited for. */
const PATIENCE = 120_000

interface Terms {
  readonly url: string
  readonly chunkSize: number
  readonly chunksPerRequest: number
  readonly maxRequestSize: number
}

const sha1 = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

/** The terms on which Sentry takes pieces; the token goes to Sentry's own hosts only. */
async function termsOf(api: SentryApi): Promise<Terms> {
  const told = (await api.call(api.organization('/chunk-upload/'), {
    what: 'terms of upload',
    scopes: SCOPES,
  })) as Partial<Terms> & { accept?: unknown; hashAlgorithm?: unknown }
  const accepts = Array.isArray(told?.accept) ? told.accept : []
  if (!accepts.includes('artifact_bundles') || told.hashAlgorithm !== 'sha1')
    throw new CommandFailed('This Sentry takes no artifact bundles; version 23.6.1 and later do.')
  const base = new URL(api.access.url)
  const url = new URL(String(told.url), base)
  const family = (host: string): string => (/(?:^|\.)sentry\.io$/.test(host) ? 'sentry.io' : host)
  if (url.protocol !== base.protocol || family(url.host) !== family(base.host))
    throw new CommandFailed(`Sentry wants the upload at ${url.host}, where the token does not belong.`)
  return {
    url: url.href,
    chunkSize: Math.max(1024, Number(told.chunkSize) || 8_388_608),
    chunksPerRequest: Math.max(1, Number(told.chunksPerRequest) || 1),
    maxRequestSize: Math.max(1024, Number(told.maxRequestSize) || 33_554_432),
  }
}

/**
 * Uploads an artifact bundle in pieces, those that Sentry has not got, and waits until it has put them together.
 * @returns how many bytes went over the wire.
 */
export async function uploadBundle(
  api: SentryApi,
  bundle: Buffer,
  release: string | undefined,
): Promise<number> {
  const terms = await termsOf(api)
  const chunks: Buffer[] = []
  for (let at = 0; at < bundle.length; at += terms.chunkSize)
    chunks.push(bundle.subarray(at, at + terms.chunkSize))
  const byHash = new Map(chunks.map((chunk) => [sha1(chunk), chunk]))
  const body = {
    checksum: sha1(bundle),
    chunks: chunks.map(sha1),
    projects: [api.access.project],
    ...(release !== undefined && { version: release }),
  }
  const until = Date.now() + PATIENCE
  let sent = 0
  for (let wait = 200; Date.now() < until; wait = Math.min(wait * 2, 5000)) {
    const told = (await api.call(api.organization('/artifactbundle/assemble/'), {
      method: 'POST',
      body,
      what: 'the artifact bundle',
      scopes: SCOPES,
    })) as { state?: string; missingChunks?: string[]; detail?: string } | undefined
    if (told?.state === 'ok') return sent
    if (told?.state === 'error')
      throw new CommandFailed(`Sentry could not read the bundle: ${told.detail ?? 'it does not say why'}`)
    const missing = told?.missingChunks ?? []
    sent += await send(
      api,
      terms,
      missing.flatMap((hash) => {
        const chunk = byHash.get(hash)
        return chunk ? [[hash, chunk] as const] : []
      }),
    )
    if (missing.length === 0) await new Promise((resolve) => setTimeout(resolve, wait))
  }
  throw new CommandFailed('Sentry has got everything and did not put it together within two minutes.')
}

async function send(
  api: SentryApi,
  { url, chunksPerRequest, maxRequestSize }: Terms,
  chunks: readonly (readonly [hash: string, chunk: Buffer])[],
): Promise<number> {
  let sent = 0
  let at = 0
  while (at < chunks.length) {
    const form = new FormData()
    let size = 0
    for (let n = 0; n < chunksPerRequest && at < chunks.length; n++, at++) {
      const [hash, chunk] = chunks[at] as readonly [string, Buffer]
      if (n > 0 && size + chunk.length > maxRequestSize) break
      form.append('file', new Blob([new Uint8Array(chunk)]), hash)
      size += chunk.length
    }
    await api.call(url, { method: 'POST', form, what: 'pieces of the bundle', scopes: SCOPES })
    sent += size
  }
  return sent
}
