import type { Context } from 'hono'

/**
 * Origins that are trusted: exact ones such as `https://app.example.com`, or with one wildcard label such as
 * `https://*.example.com`. Or a function that reads them from the environment; it names origins and is never asked
 * about the caller's, so that it cannot reflect.
 */
export type Origins = readonly string[] | ((c: Context) => readonly string[])

/** Whether an origin is one of a fixed set. */
export type OriginTest = (origin: string) => boolean

/**
 * A test for a list of origins.
 * @throws TypeError for what is no origin: `*`, `null`, a path, plain HTTP to anything but this machine.
 */
function originTest(origins: readonly string[]): OriginTest {
  const exact = new Set<string>()
  const patterns: { readonly start: string; readonly end: string }[] = []
  for (const origin of origins) {
    if (origin === '*' || origin === 'null') {
      throw new TypeError(`"${origin}" is not an origin that can be trusted: list the origins`)
    }
    const [start = '', end, more] = origin.split('*')
    const sample = end === undefined ? origin : `${start}sample${end}`
    const url = URL.canParse(sample) ? new URL(sample) : undefined
    if (url === undefined || url.origin !== sample || more !== undefined) {
      throw new TypeError(
        `"${origin}" is not an origin: write scheme and host, such as https://app.example.com`,
      )
    }
    if (url.protocol !== 'https:' && !isLocal(url.hostname)) {
      throw new TypeError(`"${origin}" is not safe: only https origins can be trusted`)
    }
    if (end === undefined) exact.add(origin)
    else {
      if (!/^\.[^.]+\../.test(end) || !start.endsWith('://')) {
        throw new TypeError(
          `"${origin}" is too wide: a wildcard stands for one label before a domain of two or more`,
        )
      }
      patterns.push({ start, end })
    }
  }
  return function isTrusted(origin) {
    if (exact.has(origin)) return true
    return patterns.some(
      ({ start, end }) =>
        origin.startsWith(start) &&
        origin.endsWith(end) &&
        /^[a-z0-9-]{1,63}$/.test(origin.slice(start.length, origin.length - end.length)),
    )
  }
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '127.0.0.1' || host === '[::1]'
}

/** A test that may depend on the environment; the lists it gives are compiled once each. */
export function trustedOrigins(origins: Origins): (c: Context) => OriginTest {
  if (typeof origins !== 'function') {
    const test = originTest(origins)
    return () => test
  }
  let key: string | undefined
  let test: OriginTest = () => false
  return (c) => {
    const list = origins(c)
    const joined = list.join(' ')
    if (joined !== key) {
      test = originTest(list)
      key = joined
    }
    return test
  }
}
