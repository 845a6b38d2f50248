import type { Context, MiddlewareHandler } from 'hono'
import { toBase64Url } from '../core/bytes.ts'
import { asError } from '../core/errors.ts'
import { onReply } from '../core/headers.ts'
import { randomBytes } from '../core/ids.ts'
import { slot } from '../core/slot.ts'

/** Options of {@link secureHeaders}. `false` leaves a header field out. */
export interface SecureHeadersOptions {
  /** Default two years with subdomains: `max-age=63072000; includeSubDomains`. Browsers ignore it on plain HTTP. */
  readonly strictTransportSecurity?: string | false
  /**
   * Content-Security-Policy, directive by directive, over {@link CSP_DEFAULTS}; `false` drops a directive. Sources as
   * the standard writes them, quotes included.
   */
  readonly contentSecurityPolicy?: Readonly<Record<string, readonly string[] | false>> | false
  /** Sends the policy as `Content-Security-Policy-Report-Only`. Default false. */
  readonly reportOnly?: boolean
  /** Features and who may use them, over {@link PERMISSIONS_DEFAULTS}: `{ camera: ['self'] }`. */
  readonly permissionsPolicy?: Readonly<Record<string, readonly string[]>> | false
  /** Default `strict-origin-when-cross-origin`. */
  readonly referrerPolicy?: string | false
  /** `X-Frame-Options`, for browsers that do not know `frame-ancestors`. Default `DENY`. */
  readonly frameOptions?: string | false
  /** Default `same-origin`. */
  readonly crossOriginOpenerPolicy?: string | false
  /** Default `same-origin`. CORS is not affected by it. */
  readonly crossOriginResourcePolicy?: string | false
  /** Off by default: it breaks pages that embed anything which did not opt in. */
  readonly crossOriginEmbedderPolicy?: string | false
}

/** The default Content-Security-Policy. */
export const CSP_DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  'default-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
  'img-src': ["'self'", 'data:'],
  'object-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
}

/** Features that no page needs unless it says so. */
export const PERMISSIONS_DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  camera: [],
  geolocation: [],
  microphone: [],
  payment: [],
  usb: [],
}

/** What {@link secureHeaders} and `secure` add to the context. */
export interface SecureEnv {
  Variables: {
    /** The nonce of this reply, for `<script nonce>` and `<style nonce>`. Made, and put in the policy, when first called. */
    cspNonce: () => string
  }
}

/** Applies the header fields; apart from Hono's middleware so that `secure` can call it. */
export interface HeaderPolicy {
  begin(c: Context): void
  apply(c: Context, headers: Headers): void
}

const nonces = slot<Context, string>('csp.nonce')

/** The policy behind {@link secureHeaders}. Every value is made here, once. */
export function headerPolicy(options: SecureHeadersOptions = {}): HeaderPolicy {
  const fixed: (readonly [name: string, value: string])[] = [['x-content-type-options', 'nosniff']]
  const add = (name: string, value: string | false | undefined, standard: string | false): void => {
    const chosen = value ?? standard
    if (chosen === false) return
    if (!/^[\x20-\x7e]+$/.test(chosen)) throw new TypeError(`The value of ${name} is not a header value`)
    fixed.push([name, chosen])
  }
  add('strict-transport-security', options.strictTransportSecurity, 'max-age=63072000; includeSubDomains')
  add('referrer-policy', options.referrerPolicy, 'strict-origin-when-cross-origin')
  add('x-frame-options', options.frameOptions, 'DENY')
  add('cross-origin-opener-policy', options.crossOriginOpenerPolicy, 'same-origin')
  add('cross-origin-resource-policy', options.crossOriginResourcePolicy, 'same-origin')
  add('cross-origin-embedder-policy', options.crossOriginEmbedderPolicy, false)
  if (options.permissionsPolicy !== false) {
    const features = Object.entries({ ...PERMISSIONS_DEFAULTS, ...options.permissionsPolicy })
    add('permissions-policy', features.map(permission).join(', '), false)
  }

  const csp = options.contentSecurityPolicy === false ? undefined : options.contentSecurityPolicy
  const directives = options.contentSecurityPolicy === false ? [] : directivesOf(csp ?? {})
  const cspName = options.reportOnly ? 'content-security-policy-report-only' : 'content-security-policy'
  if (directives.length > 0) add(cspName, policyText(directives), false)

  return {
    begin(c) {
      c.set('cspNonce', () => {
        let nonce = nonces.get(c)
        if (nonce === undefined) {
          nonce = toBase64Url(randomBytes(18))
          nonces.set(c, nonce)
        }
        return nonce
      })
    },
    apply(c, headers) {
      const nonce = nonces.get(c)
      for (const [name, value] of fixed) {
        // What a handler set itself was meant: a sandbox for downloads, say.
        if (headers.has(name)) continue
        headers.set(name, nonce !== undefined && name === cspName ? policyText(directives, nonce) : value)
      }
    },
  }
}

type Directive = readonly [name: string, sources: readonly string[]]

function directivesOf(own: Readonly<Record<string, readonly string[] | false>>): Directive[] {
  const merged: Directive[] = []
  for (const [name, sources] of Object.entries({ ...CSP_DEFAULTS, ...own })) {
    if (sources === false) continue
    if (!/^[a-z-]+$/.test(name))
      throw new TypeError(`"${name}" is not a directive: write it as the standard does`)
    for (const source of sources) {
      if (!/^[\x21-\x7e]+$/.test(source) || /[;,]/.test(source)) {
        throw new TypeError(`"${source}" is not a source expression of ${name}`)
      }
      if (/^(?:self|none|unsafe-\w+|strict-dynamic|nonce-.*|sha\d+-.*)$/.test(source)) {
        throw new TypeError(`In ${name}, ${source} needs single quotes: "'${source}'"`)
      }
    }
    merged.push([name, sources])
  }
  return merged
}

function policyText(directives: readonly Directive[], nonce?: string): string {
  return directives
    .map(([name, sources]) => {
      const takesNonce = nonce !== undefined && /^(?:script|style)-src(?:-elem)?$/.test(name)
      const listed = takesNonce ? [...sources.filter((s) => s !== "'none'"), `'nonce-${nonce}'`] : sources
      return [name, ...listed].join(' ')
    })
    .join('; ')
}

function permission([feature, allowed]: readonly [string, readonly string[]]): string {
  if (!/^[a-z-]+$/.test(feature)) throw new TypeError(`"${feature}" is not a feature of Permissions-Policy`)
  if (allowed.length === 1 && allowed[0] === '*') return `${feature}=*`
  return `${feature}=(${allowed.map((who) => (who === 'self' ? who : JSON.stringify(who))).join(' ')})`
}

/**
 * Security header fields: HSTS, CSP (with nonces on demand), nosniff, framing, referrer, permissions, COOP, CORP. Error
 * replies carry them too. What a handler sets itself is kept.
 * @throws TypeError when built with values that are no header values or no CSP sources.
 */
export function secureHeaders(options: SecureHeadersOptions = {}): MiddlewareHandler<SecureEnv> {
  const policy = headerPolicy(options)
  return async function secureHeaders(c, next): Promise<void> {
    policy.begin(c)
    try {
      await next()
    } catch (error) {
      policy.apply(c, c.res.headers)
      throw asError(error)
    }
    onReply(c, policy.apply)
  }
}
