import { type DoctorCheck, outcome, skip } from '../check.ts'

/** A Content-Security-Policy is what keeps injected markup from running as script. */
export const csp: DoctorCheck = {
  id: 'HTTP-20',
  level: 'warn',
  title: 'A Content-Security-Policy keeps injected scripts from running',
  async run({ site }) {
    if (typeof site === 'string') return skip(site)
    const { headers } = await site.get('/')
    const value = headers.get('content-security-policy')
    if (value === null) {
      return outcome([
        {
          message: '/ has no Content-Security-Policy header',
          hint: "send Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
        },
      ])
    }
    const directives = new Map(
      value.split(';').map((part) => {
        const [name = '', ...sources] = part.trim().toLowerCase().split(/\s+/)
        return [name, sources] as const
      }),
    )
    const scripts = directives.get('script-src') ?? directives.get('default-src')
    if (scripts === undefined) {
      return outcome([
        { message: 'The policy says nothing about scripts', hint: "add script-src 'self' to the policy" },
      ])
    }
    const isFenced = scripts.some((source) => /^'(nonce-|sha(256|384|512)-|strict-dynamic')/.test(source))
    const open = scripts.filter(
      (source) =>
        /^(\*|https?:|data:|'unsafe-eval')$/.test(source) || (source === "'unsafe-inline'" && !isFenced),
    )
    return outcome(
      open.map((source) => ({
        message: `The policy lets scripts through with ${source}`,
        hint: `take ${source} out of script-src; give inline scripts a nonce`,
      })),
    )
  },
}
