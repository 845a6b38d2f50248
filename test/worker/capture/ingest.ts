import { parseEnvelope } from '@sentry/core'

/** An event, as far as tests look at it. */
export interface SeenEvent {
  type?: string
  event_id: string
  transaction: string
  level: string
  release?: string
  environment: string
  message?: string
  user?: unknown
  tags: Record<string, string>
  exception?: {
    values: {
      type: string
      value: string
      mechanism: { type: string; handled: boolean }
      stacktrace?: { frames: { function?: string; filename?: string }[] }
    }[]
  }
  request?: { method: string; url: string; query_string?: string; headers: Record<string, string> }
  contexts: {
    trace: { trace_id: string; span_id: string; parent_span_id?: string; op?: string; status?: string }
    work?: Record<string, string>
  }
  breadcrumbs?: { values: { category: string; message: string }[] }
  extra?: Record<string, unknown>
  fingerprint?: string[]
  spans?: { op: string; description: string; span_id: string; parent_span_id: string; status: string }[]
}

/** What was dropped, as it is told. */
export interface SeenReport {
  discarded_events: { reason: string; category: string; quantity: number }[]
}

/** A fake ingest: takes envelopes as Sentry's own parser reads them, and answers as it is told. */
export class Ingest {
  readonly dsn = 'https://publickey@ingest.example/path/42'
  readonly urls: string[] = []
  /** Everything that left the isolate, as it was sent. */
  readonly raw: string[] = []
  readonly events: SeenEvent[] = []
  readonly checkIns: Record<string, unknown>[] = []
  readonly reports: SeenReport[] = []
  reply: () => Response | Promise<Response> = () => new Response('{}')

  readonly fetch = (async (url: string, init: RequestInit) => {
    this.urls.push(url)
    const response = await this.reply()
    if (!response.ok) return response
    this.raw.push(String(init.body))
    const [, items] = parseEnvelope(String(init.body))
    for (const [{ type }, payload] of items) {
      if (type === 'event' || type === 'transaction') this.events.push(payload as unknown as SeenEvent)
      else if (type === 'check_in') this.checkIns.push(payload as unknown as Record<string, unknown>)
      else if (type === 'client_report') this.reports.push(payload as unknown as SeenReport)
    }
    return response
  }) as unknown as typeof fetch

  get errors(): SeenEvent[] {
    return this.events.filter(({ type }) => type !== 'transaction')
  }

  get transactions(): SeenEvent[] {
    return this.events.filter(({ type }) => type === 'transaction')
  }
}
