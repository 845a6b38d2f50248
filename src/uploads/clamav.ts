import { storageUnavailable } from './errors.ts'
import type { ScanSubject, ScanVerdict } from './options.ts'

/** Options of {@link clamavScan}. */
export interface ClamavOptions {
  /** Where a file is posted: a clamav-rest server's `/v2/scan`, or anything that answers like one. */
  readonly endpoint: string
  /** Sent along, such as an `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  /** `fetch` of something else, such as a service binding. */
  readonly fetch?: typeof fetch
}

/**
 * A `scan` that posts the bytes, as they are, to ClamAV behind HTTP. 200 is clean, 406 is infected (clamav-rest's
 * own answers); anything else throws, so that the file stays in quarantine and the job tries again.
 * @throws TypeError when the endpoint is no URL.
 */
export function clamavScan(
  options: ClamavOptions,
): (subject: ScanSubject, more: { readonly signal: AbortSignal }) => Promise<ScanVerdict> {
  if (!URL.canParse(options.endpoint)) throw new TypeError('clamavScan: endpoint is no URL')
  const send = options.fetch ?? fetch
  return async (subject, { signal }) => {
    const body = await subject.open()
    const reply = await send(options.endpoint, {
      method: 'POST',
      headers: { ...options.headers, 'Content-Type': 'application/octet-stream' },
      body,
      signal,
    })
    await reply.body?.cancel()
    if (reply.status === 200) return { ok: true }
    if (reply.status === 406) return { ok: false, reason: 'malware' }
    throw storageUnavailable(new Error(`the scanner answered ${reply.status}`))
  }
}
