import { toHex } from '../core/bytes.ts'
import { randomBytes } from '../core/index.ts'
import { redactText } from '../core/redact-text.ts'
import type { Frame } from './client.ts'

/** A page's report after it was checked; only what is written here is left of it. */
export interface CheckedReport {
  readonly trace: string
  readonly span: string
  /** Path segments that may be ids are masked. */
  readonly path: string
  readonly release: string | undefined
  readonly errors: readonly {
    readonly type: string
    readonly value: string
    readonly mechanism: string
    readonly frames: readonly Frame[]
  }[]
  readonly vitals: Readonly<Record<string, number>>
  /** Debug ids of the page's scripts by their addresses. */
  readonly debugIds: Readonly<Record<string, string>>
}

const VITALS = ['lcp', 'fcp', 'cls', 'inp', 'ttfb'] as const
const MECHANISMS: ReadonlySet<unknown> = new Set(['onerror', 'onunhandledrejection', 'fetch', 'manual'])

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const text = (value: unknown, max: number): string => (typeof value === 'string' ? value.slice(0, max) : '')

const place = (value: unknown): number | undefined =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) < 1e9 ? (value as number) : undefined

/** A URL without its query and fragment, or a word such as `<anonymous>`. That of a page's own script is the page's. */
function filename(value: unknown): string {
  return redactText(text(value, 500).replace(/[?#].*$/s, ''))
}

function frame(value: unknown): Frame[] {
  if (!isObject(value)) return []
  const [lineno, colno] = [place(value['lineno']), place(value['colno'])]
  const name = redactText(text(value['function'], 200))
  return [
    {
      filename: filename(value['filename']),
      ...(name !== '' && { function: name }),
      ...(lineno !== undefined && { lineno }),
      ...(colno !== undefined && { colno }),
      in_app: true,
    },
  ]
}

/** Reads what a page sent. Anybody can send anything: undefined when it is no report. */
export function checkReport(body: string): CheckedReport | undefined {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return undefined
  }
  if (!isObject(value) || value['v'] !== 1) return undefined
  const [trace, span] = [text(value['trace'], 33), text(value['span'], 17)]
  if (!/^(?!0+$)[\da-f]{32}$/.test(trace) || !/^(?!0+$)[\da-f]{16}$/.test(span)) return undefined
  const { errors, vitals } = value
  if (!Array.isArray(errors) || errors.length > 20) return undefined
  const told: Record<string, number> = {}
  for (const name of VITALS) {
    const n = isObject(vitals) ? vitals[name] : undefined
    if (typeof n === 'number' && n >= 0 && n < 3_600_000) told[name] = n
  }
  const debugIds: Record<string, string> = {}
  const ids = isObject(value['debug']) ? Object.entries(value['debug']) : []
  for (const [file, id] of ids.slice(0, 20)) {
    if (typeof id === 'string' && /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(id))
      debugIds[filename(file)] = id
  }
  const release = text(value['release'], 100)
  return {
    trace,
    span,
    path:
      text(value['path'], 500)
        .replace(/[?#].*$/s, '')
        .replace(/\/[^/]*\d[^/]*|\/[^/]{25,}/g, '/:id') || '/',
    release: release === '' ? undefined : release,
    errors: errors.filter(isObject).map((error) => ({
      type: text(error['type'], 100) || 'Error',
      value: text(error['value'], 1000),
      mechanism: MECHANISMS.has(error['mechanism']) ? String(error['mechanism']) : 'manual',
      frames: Array.isArray(error['frames']) ? error['frames'].slice(-30).flatMap(frame) : [],
    })),
    vitals: told,
    debugIds,
  }
}

/** The web vitals of a page as a transaction that holds nothing else. */
export function vitalsEvent(
  report: CheckedReport,
  identity: { readonly release: string | undefined; readonly environment: string },
  now: number,
): Record<string, unknown> {
  const entries = Object.entries(report.vitals)
  return {
    type: 'transaction',
    event_id: toHex(randomBytes(16)),
    platform: 'javascript',
    transaction: report.path,
    transaction_info: { source: 'route' },
    environment: identity.environment,
    ...((report.release ?? identity.release) !== undefined && {
      release: report.release ?? identity.release,
    }),
    start_timestamp: (now - Math.max(1, report.vitals['lcp'] ?? report.vitals['fcp'] ?? 1)) / 1000,
    timestamp: now / 1000,
    tags: { work: 'page' },
    contexts: { trace: { trace_id: report.trace, span_id: report.span, op: 'pageload', status: 'ok' } },
    measurements: Object.fromEntries(
      entries.map(([name, value]) => [name, { value, unit: name === 'cls' ? '' : 'millisecond' }]),
    ),
    spans: [],
    sdk: { name: 'breakwater', version: '0' },
  }
}
