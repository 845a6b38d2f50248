import { watchFetch } from './fetching.ts'
import { debugIds, type PageError, type PageReport, pageError } from './report.ts'
import { watchVitals } from './vitals.ts'

/** Options of {@link startCapture}. */
export interface PageCaptureOptions {
  /** Where the server mounted `captureTunnel`. Default `/_capture`. */
  readonly tunnel?: string
  /** What is running, as the server's release. */
  readonly release?: string
  /** Errors that are not to be told. */
  readonly ignore?: (error: unknown) => boolean
}

/** The running capture of a page. */
export interface PageCapture {
  /** The trace that the page's requests carry, 32 hexadecimal digits. */
  readonly trace: string
  /** Tells an error that was caught. */
  capture(error: unknown): void
  /** Sends what waits, now. */
  flush(): void
  /** Watches no longer. */
  stop(): void
}

const hex = (bytes: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')

/** Of one page; the rest is counted. */
const MAX_ERRORS = 20

/**
 * Watches the page: errors, unhandled rejections, requests to its own server that fail, and web vitals. They go to the
 * page's own server, which checks them, masks them and takes them to the tracker, in one trace with what the server did.
 * Start it first, before anything that may fail.
 */
export function startCapture(options: PageCaptureOptions = {}): PageCapture {
  const { tunnel = '/_capture', release, ignore } = options
  const trace = hex(16)
  const span = hex(8)
  const vitals = watchVitals()
  const seen = new Set<string>()
  let waiting: PageError[] = []
  let told = 0
  let dropped = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let left = false

  const send = (last: boolean): void => {
    clearTimeout(timer)
    timer = undefined
    const withVitals = last && !left
    if (waiting.length === 0 && !withVitals) return
    left ||= last
    const debug = debugIds(waiting)
    const report: PageReport = {
      v: 1,
      trace,
      span,
      path: location.pathname,
      ...(release !== undefined && { release }),
      errors: waiting,
      ...(withVitals && { vitals }),
      ...(debug && { debug }),
      ...(dropped > 0 && { dropped }),
    }
    waiting = []
    dropped = 0
    const body = JSON.stringify(report)
    // Outlives the page; where the browser refuses, an ordinary request does.
    if (!navigator.sendBeacon?.(tunnel, body)) {
      fetch(tunnel, { method: 'POST', body, keepalive: true }).catch(() => {})
    }
  }

  const add = (thrown: unknown, mechanism: string): void => {
    try {
      if (ignore?.(thrown)) return
      const error = pageError(thrown, mechanism, Date.now())
      const at = error.frames.at(-1)
      const key = `${error.type}${error.value}${at?.filename}${at?.lineno}${at?.colno}`
      if (seen.has(key) || told >= MAX_ERRORS) {
        dropped += 1
        return
      }
      seen.add(key)
      told += 1
      waiting.push(error)
      timer ??= setTimeout(() => send(false), 1000)
    } catch {
      // Watching must not fail what is watched.
    }
  }

  const controller = new AbortController()
  const { signal } = controller
  addEventListener(
    'error',
    (event) => event.error !== undefined && add(event.error ?? event.message, 'onerror'),
    { signal },
  )
  addEventListener('unhandledrejection', (event) => add(event.reason, 'onunhandledrejection'), { signal })
  const leave = (): void => send(true)
  addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && leave(), { signal })
  addEventListener('pagehide', leave, { signal })
  const unwrap = watchFetch({
    traceparent: `00-${trace}-${span}-01`,
    own: new URL(tunnel, location.href).pathname,
    failed: (error) => add(error, 'fetch'),
  })

  return {
    trace,
    capture: (error) => add(error, 'manual'),
    flush: () => send(false),
    stop() {
      controller.abort()
      unwrap()
      clearTimeout(timer)
    },
  }
}
