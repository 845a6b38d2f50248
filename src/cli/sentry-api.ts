import process from 'node:process'
import { CommandFailed, UsageError } from './command.ts'

/** How Sentry is reached. */
export interface SentryAccess {
  readonly url: string
  readonly token: string
  readonly organization: string
  readonly project: string
}

/** How long a rate limit is waited for, in all, in seconds. */
const PATIENCE = 60

/**
 * Who asks whom: `SENTRY_AUTH_TOKEN`, `SENTRY_ORG`, `SENTRY_PROJECT`, and `SENTRY_URL` for one that is not sentry.io, the
 * names that Sentry's own tools know.
 * @throws {UsageError} when something is missing. The token is in no message.
 */
export function sentryAccess(given: { organization?: string; project?: string } = {}): SentryAccess {
  const read = (name: string): string => (process.env[name] ?? '').trim()
  const url = (read('SENTRY_URL') || 'https://sentry.io').replace(/\/+$/, '')
  const token = read('SENTRY_AUTH_TOKEN')
  const organization = given.organization ?? read('SENTRY_ORG')
  const project = given.project ?? read('SENTRY_PROJECT')
  if (!URL.canParse(url)) throw new UsageError('SENTRY_URL is no URL.')
  const { protocol, hostname } = new URL(url)
  const here = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
  if (protocol !== 'https:' && !(protocol === 'http:' && here))
    throw new UsageError('SENTRY_URL must be https: the token goes there.')
  if (token === '')
    throw new UsageError('SENTRY_AUTH_TOKEN is not set: a token of your organization at Sentry.')
  if (/\s|[^\x21-\x7e]/.test(token)) throw new UsageError('SENTRY_AUTH_TOKEN is no token.')
  if (organization === '') throw new UsageError('SENTRY_ORG is not set: the slug of the organization.')
  if (project === '') throw new UsageError('SENTRY_PROJECT is not set: the slug of the project.')
  return { url, token, organization, project }
}

/** What one call is, for messages. */
export interface CallOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: unknown
  readonly form?: FormData
  /** Such as `the monitor "Errors"`. */
  readonly what: string
  /** The scopes of a token that may do it. */
  readonly scopes: string
}

/** Asks Sentry's API. Every failure is one sentence that says what to do; the token is in none. */
export class SentryApi {
  readonly access: SentryAccess
  #patience: number = PATIENCE

  constructor(access: SentryAccess) {
    this.access = access
  }

  /** A path below `/api/0/organizations/<organization>`. */
  organization(path: string): string {
    return `/api/0/organizations/${encodeURIComponent(this.access.organization)}${path}`
  }

  /** The JSON of the reply; undefined where it has none. */
  async call(path: string, options: CallOptions): Promise<unknown> {
    return (await this.#ask(path, options)).json
  }

  /** Every item of a list, page by page. */
  async all(path: string, options: CallOptions): Promise<unknown[]> {
    const items: unknown[] = []
    let cursor: string | undefined
    for (let page = 0; page < 100; page++) {
      const query = `per_page=100${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
      const { json, link } = await this.#ask(`${path}${path.includes('?') ? '&' : '?'}${query}`, options)
      if (!Array.isArray(json))
        throw new CommandFailed(`Sentry answered something else than ${options.what}.`)
      items.push(...json)
      cursor = nextCursor(link)
      if (cursor === undefined) return items
    }
    throw new CommandFailed(`Sentry's list of ${options.what} has no end.`)
  }

  async #ask(path: string, options: CallOptions): Promise<{ json: unknown; link: string }> {
    const { method = 'GET', body, form, what } = options
    const target = path.startsWith('http') ? path : `${this.access.url}${path}`
    // Asked twice, these do the same as asked once.
    const repeatable = method !== 'POST' || form !== undefined
    for (let attempt = 1; ; attempt++) {
      let response: Response
      try {
        response = await fetch(target, {
          method,
          headers: {
            authorization: `Bearer ${this.access.token}`,
            accept: 'application/json',
            ...(body !== undefined && { 'content-type': 'application/json' }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
          ...(form && { body: form }),
          // The token goes nowhere else.
          redirect: 'manual',
          signal: AbortSignal.timeout(30_000),
        })
      } catch (error) {
        if (repeatable && attempt < 3) {
          await pause(attempt)
          continue
        }
        const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name
        throw new CommandFailed(
          `${new URL(target).host} cannot be reached for ${what} (${cause}).${this.#doubt(method)}`,
        )
      }
      if (response.ok) {
        const text = await response.text()
        return { json: parse(text), link: response.headers.get('link') ?? '' }
      }
      const detail = this.#clean(await response.text().catch(() => ''))
      if (response.status === 429) {
        const seconds = resetSeconds(response.headers)
        if (seconds > this.#patience) {
          throw new CommandFailed(
            `Sentry limits how often it is asked (429) and wants ${seconds} s of pause at ${what}; try again then.`,
          )
        }
        this.#patience -= seconds
        await pause(seconds)
        continue
      }
      if (response.status >= 500 && repeatable && attempt < 3) {
        await pause(attempt)
        continue
      }
      throw this.#failure(response.status, method, detail, options)
    }
  }

  #failure(status: number, method: string, detail: string, { what, scopes }: CallOptions): CommandFailed {
    const { organization, project } = this.access
    if (status === 401)
      return new CommandFailed(
        'Sentry does not know the token in SENTRY_AUTH_TOKEN, or it has been revoked (401).',
      )
    if (status === 403)
      return new CommandFailed(
        `The token may not ${method === 'GET' ? 'read' : 'change'} ${what} of ${organization} (403); it needs the scopes ${scopes}.`,
      )
    if (status === 404)
      return new CommandFailed(
        `Sentry has no ${what} at ${organization}/${project}, or the token may not see it (404).`,
      )
    if (status === 410) return new CommandFailed(`This Sentry has given up the endpoint for ${what} (410).`)
    if (status >= 300 && status < 400)
      return new CommandFailed(
        `Sentry sends ${what} elsewhere (${status}): set SENTRY_URL to the address of the organization's region.`,
      )
    if (status >= 500) return new CommandFailed(`Sentry failed at ${what} (${status}).${this.#doubt(method)}`)
    return new CommandFailed(`Sentry refused ${what} (${status})${detail === '' ? '' : `: ${detail}`}`)
  }

  /** A request that makes something and got no answer may have made it. */
  #doubt(method: string): string {
    return method === 'POST' ? ' It may have been done all the same: look before trying again.' : ''
  }

  #clean(text: string): string {
    return text.replaceAll(this.access.token, '[token]').replace(/\s+/g, ' ').trim().slice(0, 500)
  }
}

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(seconds, 0.2) * 1000))

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `Retry-After` in seconds, or the moment of `X-Sentry-Rate-Limit-Reset`, or 10 s. */
function resetSeconds(headers: Headers): number {
  const after = Number(headers.get('retry-after') ?? Number.NaN)
  if (after >= 0) return Math.ceil(after)
  const reset = Number(headers.get('x-sentry-rate-limit-reset') ?? Number.NaN)
  return reset > 0 ? Math.max(0, Math.ceil(reset - Date.now() / 1000)) : 10
}

/** The cursor of the next page from a `Link` header as Sentry writes it; undefined on the last. */
function nextCursor(link: string): string | undefined {
  for (const part of link.split(/,(?=\s*<)/)) {
    if (/rel="next"/.test(part) && /results="true"/.test(part)) return /cursor="([^"]+)"/.exec(part)?.[1]
  }
  return undefined
}
