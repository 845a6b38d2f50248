/**
 * Milliseconds a reply asks its caller to wait (RFC 9110, section 10.2.3: seconds or an HTTP date), or undefined
 * when it does not say, or not in a form the standard knows. A date in the past is 0.
 */
export function retryAfter(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after')?.trim()
  if (value === undefined) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  // Date.parse takes much that is no HTTP date; every HTTP date starts with the name of a day.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
