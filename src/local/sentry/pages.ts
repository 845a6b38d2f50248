import { html } from 'hono/html'
import { json, type Markup, renderPage, when } from '../page.ts'
import type { Original } from './originals.ts'
import {
  at,
  type CapturedRecord,
  exceptionsOf,
  list,
  numberAt,
  type SeenException,
  textAt,
} from './record.ts'

/** How many rows a list shows. */
const ROWS = 200

/** The list, with what it may be narrowed by. */
export function listPage(
  all: readonly CapturedRecord[],
  found: readonly CapturedRecord[],
  query: Readonly<Record<string, string>>,
): Promise<Response> {
  const body = html`
    ${filters(
      'type',
      all.map(({ type }) => type),
      query,
    )}
    ${filters(
      'level',
      all.flatMap(({ level }) => level ?? []),
      query,
    )}
    ${
      found.length === 0
        ? html`<p class="empty">${all.length === 0 ? 'Nothing was captured yet.' : 'Nothing matches.'}</p>`
        : html`<table>
            <thead><tr><th>When</th><th>Type</th><th>What</th><th>Release</th></tr></thead>
            <tbody>${found.slice(0, ROWS).map(row)}</tbody>
          </table>`
    }
    ${found.length > ROWS ? html`<p class="dim">and ${found.length - ROWS} older</p>` : ''}
    ${all.length > 0 ? html`<p><form method="post" action="/clear"><button>Forget everything</button></form></p>` : ''}`
  return renderPage({ title: 'Captured errors', body, live: true })
}

function row(record: CapturedRecord): Markup {
  return html`<tr>
    <td>${when(record.receivedAt)}</td>
    <td class="${tone(record.level)}">${record.type === 'event' ? (record.level ?? 'event') : record.type}</td>
    <td><a href="/events/${record.id}">${record.title}</a>${
      record.transaction !== undefined && record.type === 'event'
        ? html`<br><span class="dim">${record.transaction}</span>`
        : ''
    }</td>
    <td class="dim">${record.release ?? ''}</td>
  </tr>`
}

function filters(
  key: string,
  values: readonly string[],
  query: Readonly<Record<string, string>>,
): Markup | '' {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  if (counts.size < 2) return ''
  const link = (value: string | undefined, text: string): Markup => {
    const { [key]: _, ...others } = query
    const search = new URLSearchParams(value === undefined ? others : { ...others, [key]: value })
    const chosen = query[key] === value || (query[key] === '' && value === undefined)
    return html`<a href="/?${search.toString()}" ${chosen ? html`aria-current="true"` : ''}>${text}</a> `
  }
  return html`<nav class="filter"><span class="dim">${key}</span> ${link(undefined, 'all')}
    ${[...counts].map(([value, count]) => link(value, `${value} ${count}`))}</nav>`
}

function tone(level: string | undefined): string {
  return level === 'error' || level === 'fatal' ? 'bad' : level === 'warning' ? 'warn' : ''
}

/** One record, with what else carries its trace. */
export function detailPage(record: CapturedRecord, sameTrace: readonly CapturedRecord[]): Promise<Response> {
  const { payload } = record
  const facts: [string, string | undefined][] = [
    ['Type', record.type],
    ['Level', record.level],
    ['Received', record.receivedAt],
    ['Event id', record.eventId],
    ['Transaction', record.transaction],
    ['Environment', record.environment],
    ['Release', record.release],
    ['Trace', record.traceId],
  ]
  const others = sameTrace.filter(({ id }) => id !== record.id)
  const body = html`
    <table><tbody>${facts.map(([name, value]) =>
      value === undefined ? '' : html`<tr><th>${name}</th><td>${value}</td></tr>`,
    )}</tbody></table>
    ${exceptionsOf(payload)
      .map((one, i) => exception(one, record.originals?.[i]))
      .reverse()}
    ${pairs('Tags', at(payload, 'tags'))}
    ${spans(payload)}
    ${breadcrumbs(at(payload, 'breadcrumbs'))}
    ${block('Request', at(payload, 'request'))}
    ${block('User', at(payload, 'user'))}
    ${block('Contexts', at(payload, 'contexts'))}
    ${block('Extra', at(payload, 'extra'))}
    ${others.length > 0 ? html`<h2>Same trace</h2><table><tbody>${others.map(row)}</tbody></table>` : ''}
    <h2>As it came</h2>
    <details><summary class="dim">Envelope header</summary>${json(record.envelope)}</details>
    <details><summary class="dim">Payload</summary>${json(payload)}</details>`
  return renderPage({ title: record.title, back: { href: '/', text: '← All' }, body })
}

function exception(
  { type, value, mechanism, handled, frames }: SeenException,
  originals: readonly (Original | null)[] | undefined,
): Markup {
  let shown = 0
  const lines = frames
    .map((frame, i) => ({ frame, original: originals?.[i] ?? undefined }))
    .reverse()
    .map(({ frame, original }) => {
      const where = textAt(frame, 'filename') ?? textAt(frame, 'abs_path') ?? textAt(frame, 'module') ?? '?'
      const place = [where, numberAt(frame, 'lineno'), numberAt(frame, 'colno')]
        .filter((part) => part !== undefined)
        .join(':')
      const name = textAt(frame, 'function') ?? '(anonymous)'
      const own = at(frame, 'in_app') !== false && !original?.filename.includes('node_modules/')
      if (original === undefined) {
        const text = `${name}  ${place}\n`
        return own ? html`${text}` : html`<span class="dim">${text}</span>`
      }
      const text = `${name}  ${original.filename}:${original.lineno}:${original.colno}`
      const line = html`${own ? text : html`<span class="dim">${text}</span>`}  <span class="dim">${place}</span>\n`
      // The lines of the first calls that are the app's own: what somebody looks for.
      return own && ++shown <= 3 ? html`${line}${context(original)}` : line
    })
  const how = [mechanism, handled === undefined ? '' : handled ? 'handled' : 'unhandled']
    .filter(Boolean)
    .join(', ')
  return html`<h2><span class="bad">${type}</span>${value === '' ? '' : `: ${value}`} <span class="dim">${how}</span></h2>
    ${lines.length > 0 ? html`<pre>${lines}</pre>` : html`<p class="dim">No stack.</p>`}`
}

function context({ context: around, lineno }: Original): Markup | '' {
  if (around === undefined) return ''
  return html`${around.lines.map((text, i) => {
    const line = `${String(around.from + i).padStart(6)}  ${text}\n`
    return around.from + i === lineno ? html`<b>${line}</b>` : html`<span class="dim">${line}</span>`
  })}`
}

function pairs(title: string, value: unknown): Markup | '' {
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((pair) => [String(list(pair)[0]), list(pair)[1]])
    : Object.entries(typeof value === 'object' && value !== null ? value : {})
  if (entries.length === 0) return ''
  return html`<h2>${title}</h2><table><tbody>${entries.map(
    ([name, text]) => html`<tr><th>${name}</th><td>${String(text)}</td></tr>`,
  )}</tbody></table>`
}

function block(title: string, value: unknown): Markup | '' {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return ''
  return html`<h2>${title}</h2>${json(value)}`
}

function breadcrumbs(value: unknown): Markup | '' {
  const crumbs = list(Array.isArray(value) ? value : at(value, 'values'))
  if (crumbs.length === 0) return ''
  return html`<h2>Breadcrumbs</h2><table><tbody>${crumbs.map((crumb) => {
    const data = at(crumb, 'data')
    return html`<tr>
      <td>${when(timeOf(at(crumb, 'timestamp')))}</td>
      <td class="${tone(textAt(crumb, 'level'))}">${textAt(crumb, 'category') ?? textAt(crumb, 'type') ?? ''}</td>
      <td>${textAt(crumb, 'message') ?? ''} ${data === undefined ? '' : html`<code class="dim">${JSON.stringify(data)}</code>`}</td>
    </tr>`
  })}</tbody></table>`
}

function timeOf(value: unknown): string {
  if (typeof value === 'number' && Math.abs(value) < 8.64e12) return new Date(value * 1000).toISOString()
  return typeof value === 'string' ? value : ''
}

/** Spans of a transaction as bars on one line of time. */
function spans(payload: unknown): Markup | '' {
  const all = list(at(payload, 'spans'))
  const begin = seconds(at(payload, 'start_timestamp'))
  const end = seconds(at(payload, 'timestamp'))
  if (begin === undefined || end === undefined) return ''
  const length = Math.max(end - begin, 0.000_001)
  const bar = (from: number, to: number): Markup => {
    const left = Math.min(100, Math.max(0, ((from - begin) / length) * 100))
    const width = Math.min(100 - left, Math.max(0, ((to - from) / length) * 100))
    return html`<div class="bar"><i style="left:${left.toFixed(2)}%;width:${width.toFixed(2)}%"></i></div>`
  }
  const rows = all.map((span) => {
    const from = seconds(at(span, 'start_timestamp')) ?? begin
    const to = seconds(at(span, 'timestamp')) ?? from
    const failed = ![undefined, 'ok'].includes(textAt(span, 'status'))
    return html`<tr>
      <td class="dim">${textAt(span, 'op') ?? ''}</td>
      <td class="${failed ? 'bad' : ''}">${textAt(span, 'description') ?? textAt(span, 'span_id') ?? ''}</td>
      <td class="num">${((to - from) * 1000).toFixed(1)} ms</td>
      <td>${bar(from, to)}</td>
    </tr>`
  })
  return html`<h2>Spans</h2><table><tbody>
    <tr><td class="dim">${textAt(at(at(payload, 'contexts'), 'trace'), 'op') ?? ''}</td><td>${textAt(payload, 'transaction') ?? ''}</td>
    <td class="num">${(length * 1000).toFixed(1)} ms</td><td>${bar(begin, end)}</td></tr>
    ${rows}</tbody></table>`
}

function seconds(value: unknown): number | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value !== 'string') return undefined
  const parsed = Date.parse(value)
  return Number.isNaN(parsed) ? undefined : parsed / 1000
}
