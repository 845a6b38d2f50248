/** What a masked value becomes. */
export const MASK = '[redacted]'

// One expression a family. Every quantifier is bounded, so that time is linear in the text.
const SECRETS: readonly RegExp[] = [
  // PEM keys.
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,8192}?(?:-----END [A-Z ]{0,40}-----|$)/g,
  // JSON Web Tokens, encrypted ones too.
  /\beyJ[\w-]{4,2048}(?:\.[\w-]{0,4096}){1,4}/g,
  // Tokens that carry their issuer's mark: Stripe, Svix, GitHub, GitLab, npm, Slack, OpenAI and Anthropic, Resend,
  // Sentry, SendGrid, Google, DigitalOcean, Neon, Supabase; and ours: API keys, access and refresh tokens.
  /\b(?:(?:sk|pk|rk)_(?:live|test)_|whsec_|gh[opsur]_|github_pat_|glpat-|npm_(?=\w{36})|xox[a-z]-|sk-(?=[\w-]{0,64}\d)|re_(?=\w{0,40}\d)|sntry[a-z]?_|SG\.|AIza|dop_v1_|napi_|sbp_|sb_secret_|bwk_|bw[ar]t_)[\w.=+/-]{12,512}/g,
  // AWS access key ids.
  /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b/g,
  // Ours without a mark: recovery codes, as they are shown and as they are typed, and shared secrets of TOTP (base32).
  // With spaces only where there is a digit: five words may have five letters each.
  /\b[a-z2-7]{5}(?:-[a-z2-7]{5}){4}\b|\b(?=[a-z ]{0,28}[2-7])[a-z2-7]{5}(?: [a-z2-7]{5}){4}\b/gi,
  /\b[A-Z2-7]{32}\b/g,
]

// What comes first stays, the rest is masked.
const LABELLED: readonly RegExp[] = [
  // Whole header lines.
  /((?:set-cookie|cookie|authorization)["']?\s{0,3}:\s{0,3}["']?)[^\r\n"']{1,4096}/gi,
  // Credentials of HTTP authentication.
  /\b((?:Bearer|Basic|DPoP)\s{1,4})[\w.~+/=-]{6,4096}/gi,
  // Cookies with the prefixes of RFC 6265bis.
  /(__(?:Host|Secure|Http)-[\w.-]{1,64}=)[^;\s"',]{1,4096}/g,
  // The user information of a URL: postgres://user:password@host, https://key@host.
  /(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#@"'<>]{1,512}(?:@[^\s/?#@"'<>]{1,64}(?=@))?(?=@)/gi,
  // What a driver and an ORM add to a failed statement: its parameters, the row, the key.
  /(\bparams:\s)[\s\S]{1,8192}?(?=\n\s{1,8}at |$)/g,
  /(Key \([^)]{1,200}\)=\()[^)]{1,1024}/g,
  /(Failing row contains \()[\s\S]{1,4096}?(?=\)\.|$)/g,
  /(invalid input (?:syntax|value) for [\w ]{1,60}: )"[^"]{1,4096}"?/g,
  // What JSON.parse quotes from the text it met.
  /(Unexpected [^"\n]{1,40})"[\s\S]{1,200}?"(?:\.\.\.)?(?= is not valid JSON)/g,
  // name=value and "name": "value", as query strings, connection strings and JSON within text have it.
  /((?:passw(?:or)?d|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|signature|jwt|otp|session|[?&](?:code|state|sig|key)|X-Amz-Credential)["'\]\\]{0,3}\s{0,3}[=:]\s{0,3})(?!\[redacted\])(?:\\?"[^"]{1,4096}"?|'[^']{1,4096}'?|[^\s"'&,;}\])]{1,4096})/gi,
]

const BREAKS = ' \t\r\n"\',;&<>'
const EMAIL = /[^\s@<>"(),:;[\]\\=/?&]{1,64}@[^\s@<>"'(),:;[\]\\/?&=]{1,190}\.[a-z\u0080-\uffff]{2,24}/gi
// Digits in groups as people write card numbers; a Luhn sum decides.
const CARD = /(?<![\w.-])[2-6]\d{3}[ -]?\d{4,6}[ -]?\d{4,5}(?:[ -]?\d{1,4}){0,2}(?![\w-])/g
// Long random-looking runs: mixed case and digits, as base64url makes them; or hexadecimal of 256 bits and more.
const RANDOM = /(?<![\w-])[\w-]{32,4096}={0,2}/g
// `Chrome/120.0.0.0` is a version.
const IPV4 = /(?<![\d.]|[a-z]\/)(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?!\.?\d)/g
const IPV6 =
  /(?<![\w:.])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}|::(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}:)(?![\w:])/gi

function luhn(text: string): boolean {
  let sum = 0
  let digits = 0
  for (let i = text.length - 1; i >= 0; i--) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) continue
    const doubled = digits++ % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return digits >= 13 && digits <= 19 && sum % 10 === 0
}

/** Whether a run of letters changes its case more often than words do: about every second letter, in base64url. */
function isShuffled(run: string): boolean {
  return run.length < 3.4 * (run.match(/[A-Z]?[a-z]+|[A-Z]+/g)?.length ?? 0)
}

function looksRandom(run: string): boolean {
  if (/^[0-9a-f]{64,}$/i.test(run)) return true
  if (!/[a-z]/.test(run) || !/[A-Z]/.test(run)) return false
  return isShuffled(run) || (/\d/.test(run) && !/^[A-Z]?[a-z]+(?:[-_A-Z][a-z]*)*\d*$/.test(run))
}

/**
 * A text with everything masked that has the shape of a secret or of personal data: tokens, credentials in URLs, cookies,
 * keys, payment cards, e-mail and IP addresses.
 */
export function redactText(
  text: string,
  options: { readonly keepAddresses?: boolean; readonly maxLength?: number } = {},
): string {
  const max = options.maxLength ?? 4096
  let out = text
  if (out.length > max) {
    // A secret cut in half has lost its shape, so the last, incomplete word goes as a whole.
    let end = max
    while (end > 0 && end > max - 512 && !BREAKS.includes(out.charAt(end - 1))) end--
    out = `${out.slice(0, end)}…`
  }
  if (out.length < 4) return out
  for (const secret of SECRETS) out = out.replace(secret, MASK)
  if (/[=:(\s]/.test(out)) for (const label of LABELLED) out = out.replace(label, `$1${MASK}`)
  if (out.includes('@')) out = out.replace(EMAIL, '[email]')
  out = out.replace(CARD, (run) => (luhn(run) ? '[card]' : run))
  out = out.replace(RANDOM, (run) => (looksRandom(run) ? MASK : run))
  if (!options.keepAddresses) {
    if (out.includes('.')) out = out.replace(IPV4, '[ip]')
    if (out.includes(':')) out = out.replace(IPV6, '[ip]')
  }
  return out
}
