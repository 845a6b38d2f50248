import type { EnvProblemCode } from './errors.ts'
import type { VariableMeta } from './variable.ts'

// Reserved (RFC 2606, 6761, 6762, 8375), customary, and tunnels to somebody's machine. A host without a dot is
// a name in a container network.
const PRIVATE_NAME =
  /^[^.:]+$|(^|\.)(localhost|local|internal|intranet|test|example|invalid|lan|home|corp|private|localdomain|home\.arpa|example\.(com|net|org)|localtest\.me|lvh\.me|nip\.io|sslip\.io|ngrok(-free)?\.(io|app|dev)|trycloudflare\.com)$/
// RFC 6890's special-purpose blocks, and multicast.
const PRIVATE_V4 =
  /^(0|10|127|22[4-9]|2[3-5]\d|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])|169\.254|172\.(1[6-9]|2\d|3[01])|192\.168|192\.0\.[02]|198\.(1[89]|51\.100)|203\.0\.113)\./
const PRIVATE_V6 = /^\[(::1?\]|::ffff:|f[cdef]|100::|2001:db8:|64:ff9b:)/

const TEST_KEY =
  /^([a-z]{2,7}_test_|[a-z]{2}_sbox_|(access|public|link)-sandbox-|(project|secret|public-token)-test-|whsec_[\da-f]{64}$|POSTMARK_API_TEST|[123]x0{20}|6LeIxAcTAAAAA|[123]0{7}-ffff-ffff-|0x0{40}$|\+1500555\d{4}$|pdl_sdbx_|sandbox[-_]|access_token\$sandbox|test_|testsk_|FLW(PUB|SEC)K_TEST|xnd_development_|SB-Mid-|TEST-|EZTK)/
const TEST_HOST =
  /(^|[.-])(sandbox|playground)[.-]|squareupsandbox\.|-test\.adyen\.|apitest\.authorize\.|(^|\.)(mailtrap\.io|ethereal\.email|resend\.dev|test\.stytch\.com|development\.plaid\.com)$/

// Words long enough, or fenced well enough, not to turn up in a random key.
const PLACEHOLDER =
  /change[-_ ]?(me|this|it)|replace[-_ ]?(me|with|this)|place-?holder|x{6}|dummy|(^|[^a-z])(your[-_ ]|example([^a-z]|$))|(^|[^a-z\d])(x{3,}|todo|tbd|fixme|null|undefined|redacted)([^a-z\d]|$)|^<.*>$|\*{3}|\.{3}$|\$\{|:(pass(word)?|postgres|secret|root|admin)@/i

// Pairs of letters that English is full of: nearly half of those in words, one in eighteen in random letters.
const PAIR = /[cst]h|[dhlmnrstv]e|[aeio][nrst]|[nr]d|t[io]|ou|al|ng|nt|st/

/** How much of a sequence is new: distinct triples among all its triples. Random text is near 1. */
function variety(sequence: readonly number[]): number {
  const triples = sequence.slice(2).map((_, i) => sequence.slice(i, i + 3).join())
  return new Set(triples).size / triples.length
}

/**
 * Whether a secret looks made by hand: repeats, sequences, words. Lenient towards what a generator makes:
 * of half a million random keys it refused none.
 */
function isWeak(secret: string): boolean {
  const codes = [...secret.slice(0, 256)].map((char) => char.codePointAt(0) ?? 0)
  const steps = codes.slice(1).map((code, i) => code - (codes[i] ?? 0))
  if (new Set(codes).size < 8 || variety(codes) < 0.7 || variety(steps) < 0.7) return true
  const words = secret.match(/[A-Z]?[a-z]{3,}|[A-Z]{3,}/g) ?? []
  const pairs = words.flatMap((word) => [...word.slice(1)].map((char, i) => (word[i] + char).toLowerCase()))
  return (
    words.join('').length > secret.length * 0.6 &&
    pairs.filter((pair) => PAIR.test(pair)).length > pairs.length * 0.36
  )
}

// Kinds whose values are the author's own words or numbers.
const CLOSED = /^(oneOf|boolean|integer|duration)$/
const SCHEME = /^[a-z][a-z\d+.-]*:\/\//i
const BARE_HOST = /^(localhost|\d+(\.\d+){3}|\[[\da-f:.]+\]|[\w-]+(\.[\w-]+)*\.[a-z-]+)(:\d+)?$/i

/** The host in a URL, a mail address, or a value that is nothing but a host. */
function hostOf(value: string): string | undefined {
  const host = BARE_HOST.test(value) ? value : /^[^:/]*@([^@>]+)>?$/.exec(value)?.[1]
  // As http:, so that the parser brings 0x7f.1 and percent-encoding to their plain form for any scheme.
  const http = host === undefined ? value.replace(SCHEME, 'http://') : `http://${host}`
  return /^http:/.test(http) && URL.canParse(http) ? new URL(http).hostname.replace(/\.$/, '') : undefined
}

/** What makes one value unfit for production, each as a code and words that continue the variable's name. */
export function* productionFaults(
  meta: VariableMeta,
  value: string,
): Generator<readonly [code: EnvProblemCode, problem: string]> {
  if (CLOSED.test(meta.kind)) return
  const isUrl = SCHEME.test(value)
  const host = hostOf(value)
  if (host && (PRIVATE_V4.test(host) || PRIVATE_V6.test(host) || PRIVATE_NAME.test(host))) {
    yield ['private-address', 'points to a local, private or reserved address']
  } else if (PLACEHOLDER.test(value)) yield ['placeholder', 'is a placeholder']
  if (/^(http|ws|redis):\/\//i.test(value) || (isUrl && /[?&]sslmode=disable/i.test(value))) {
    yield ['insecure-url', 'is not encrypted in transit']
  }
  if (TEST_KEY.test(value) || (host && TEST_HOST.test(host))) {
    yield ['test-key', 'belongs to a test or sandbox account']
  }
  if (meta.pooled && !/[-.]pooler\.|:6543\/|[?&]pgbouncer=true/i.test(value)) {
    yield ['unpooled', "is not a pooler's address"]
  }
  if (meta.secret && !isUrl) {
    const bytes = meta.minBytes ?? 32
    if (new TextEncoder().encode(value).length < bytes) {
      yield ['weak-secret', `is shorter than ${bytes} bytes`]
    } else if (isWeak(value)) yield ['weak-secret', 'has too little entropy']
  }
}
