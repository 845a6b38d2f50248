import { html } from 'hono/html'
import type { StandingFault } from '../faults.ts'
import { type Markup, renderPage } from '../page.ts'
import type { StandIn } from '../server.ts'
import type { ConsoleOptions } from './app.ts'
import { BUTTONS } from './buttons.ts'

/** Whether the worker answers, and how. */
export interface WorkerStatus {
  readonly answers: boolean
  readonly status?: number
  readonly milliseconds?: number
}

const ABOUT: Readonly<Record<string, { readonly title: string; readonly page: boolean }>> = {
  neon: { title: 'Neon endpoint', page: false },
  upstash: { title: 'Upstash endpoint', page: false },
  sentry: { title: 'Captured errors', page: true },
  mail: { title: 'Mailbox', page: true },
}

/** The whole console. */
export function consolePage(options: ConsoleOptions, worker: WorkerStatus): Promise<Response> {
  const body = html`
    <table>
      <thead><tr><th>Part</th><th>Where</th><th>How it does</th></tr></thead>
      <tbody>
        <tr>
          <td>Worker</td>
          <td>${options.worker === undefined ? html`<span class="dim">not started</span>` : html`<a href="${options.worker}">${options.worker}</a>`}</td>
          <td>${workerState(options.worker, worker)}</td>
        </tr>
        <tr>
          <td>Postgres</td>
          <td><code>${withoutPassword(options.postgres.url)}</code></td>
          <td class="dim">${options.postgres.comesAlong ? 'comes along' : 'from DATABASE_URL'}</td>
        </tr>
        ${options.standIns.map(standInRow)}
      </tbody>
    </table>
    ${crons(options)}
    <h2>Faults</h2>
    <p class="dim">Each button adds one until it is cleared. Finer ones, by count, path or content, at
      <code>PUT /__breakwater/faults</code> of each part.</p>
    <table><tbody>${options.standIns.map(faultRow)}</tbody></table>
    <p class="dim">State is kept in <code>${options.state}</code>.</p>`
  return renderPage({ title: 'Local stack', body, live: true })
}

function workerState(url: string | undefined, { answers, status, milliseconds }: WorkerStatus): Markup | '' {
  if (url === undefined) return ''
  if (!answers) return html`<span class="bad">does not answer</span>`
  const tone = status !== undefined && status >= 500 ? 'bad' : 'good'
  return html`<span class="${tone}">answers ${status}</span> <span class="dim num">${milliseconds} ms</span>`
}

function standInRow(standIn: StandIn): Markup {
  const { title, page } = ABOUT[standIn.name] ?? { title: standIn.name, page: true }
  const { total, webSockets } = standIn.stats()
  const sockets =
    webSockets.connections === 0
      ? ''
      : `, ${webSockets.connections} WebSockets with ${webSockets.received} messages`
  return html`<tr>
    <td>${title}</td>
    <td>${page ? html`<a href="${standIn.url}">${standIn.url}</a>` : html`<code>${standIn.url}</code>`}</td>
    <td><a class="num" href="${standIn.url}/__breakwater/stats">${total} requests${sockets}</a></td>
  </tr>`
}

function crons({ crons, worker }: ConsoleOptions): Markup | '' {
  if (worker === undefined || crons.length === 0) return ''
  return html`<h2>Crons</h2><table><tbody>${crons.map(
    (cron) => html`<tr><td><code>${cron}</code></td>
      <td><form method="post" action="/crons"><button name="cron" value="${cron}">Fire now</button></form></td></tr>`,
  )}</tbody></table>`
}

function faultRow(standIn: StandIn): Markup {
  const standing = standIn.faults.list()
  return html`<tr>
    <td>${ABOUT[standIn.name]?.title ?? standIn.name}</td>
    <td><form method="post" action="/faults/${standIn.name}">${Object.keys(BUTTONS).map(
      (name) => html`<button name="fault" value="${name}">${name}</button> `,
    )}${standing.length > 0 ? html`<button name="fault" value="clear">clear</button>` : ''}</form></td>
    <td class="warn">${standing.map(inWords).join('; ')}</td>
  </tr>`
}

function inWords(fault: StandingFault): string {
  return Object.entries(fault)
    .filter(([key]) => key !== 'times')
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ')
}

function withoutPassword(url: string): string {
  const shown = new URL(url)
  if (shown.password !== '') shown.password = '•••'
  return decodeURIComponent(shown.href)
}
