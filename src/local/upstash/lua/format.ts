import { formatG } from './numerals.ts'

/** One `%` of a format string: flags, width, precision, letter. */
const SPECIFIER = /%([-+ #0]*)(\d*)(?:\.(\d*))?(.)/s

/** What a format asks for, in order; the caller converts values. */
export interface Conversions {
  number(): number
  text(): string
  fail(message: string): Error
}

function pad(text: string, flags: string, width: number): string {
  if (flags.includes('-')) return text.padEnd(width)
  if (!flags.includes('0')) return text.padStart(width)
  const sign = /^[-+ ]|^0[xX]/.exec(text)?.[0] ?? ''
  return sign + text.slice(sign.length).padStart(width - sign.length, '0')
}

function signed(text: string, flags: string): string {
  if (text.startsWith('-')) return text
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text
}

function integral(value: number): bigint {
  return Number.isFinite(value) ? BigInt(Math.trunc(value)) : -(2n ** 63n)
}

function exponential(value: number, digits: number): string {
  return value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2')
}

function floating(letter: string, value: number, precision: number | undefined, flags: string): string {
  if (!Number.isFinite(value)) return formatG(value, 6)
  const digits = Math.min(precision ?? 6, 99)
  if (letter === 'f') return value.toFixed(digits)
  if (letter === 'e') return exponential(value, digits)
  return formatG(value, digits === 0 ? 1 : digits, flags.includes('#'))
}

const QUOTED: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\\n',
  '\r': '\\r',
  '\0': '\\000',
}

/** `string.format`. */
export function format(template: string, values: Conversions): string {
  let out = ''
  let rest = template
  for (;;) {
    const at = rest.indexOf('%')
    if (at < 0) return out + rest
    out += rest.slice(0, at)
    rest = rest.slice(at)
    if (rest.startsWith('%%')) {
      out += '%'
      rest = rest.slice(2)
      continue
    }
    const match = SPECIFIER.exec(rest)
    if (match?.index !== 0) throw values.fail("invalid option '%' to 'format'")
    const [all, flags, size, digits, letter] = match as unknown as [string, string, string, string?, string?]
    if (size.length > 2 || (digits ?? '').length > 2 || flags.length > 5) {
      throw values.fail('invalid format (width or precision too long)')
    }
    rest = rest.slice(all.length)
    out += convert(
      letter as string,
      flags,
      Number(size),
      digits === undefined ? undefined : Number(digits),
      values,
    )
  }
}

function convert(
  letter: string,
  flags: string,
  width: number,
  precision: number | undefined,
  values: Conversions,
): string {
  const whole = precision === undefined ? flags : flags.replaceAll('0', '')
  switch (letter) {
    case 'd':
    case 'i': {
      const value = integral(values.number())
      const digits = String(value < 0n ? -value : value).padStart(precision ?? 1, '0')
      return pad(signed(value < 0n ? `-${digits}` : digits, flags), whole, width)
    }
    case 'u':
    case 'o':
    case 'x':
    case 'X': {
      const value = BigInt.asUintN(64, integral(values.number()))
      const radix = letter === 'o' ? 8 : letter === 'u' ? 10 : 16
      let digits = value.toString(radix).padStart(precision ?? 1, '0')
      if (flags.includes('#') && value > 0n)
        digits = radix === 16 ? `0x${digits}` : radix === 8 ? `0${digits}` : digits
      return pad(letter === 'X' ? digits.toUpperCase() : digits, whole, width)
    }
    case 'c':
      return pad(String.fromCharCode(values.number() & 0xff), flags.replaceAll('0', ''), width)
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G': {
      const value = values.number()
      const text = signed(floating(letter.toLowerCase(), value, precision, flags), flags)
      const padded = pad(text, Number.isFinite(value) ? flags : flags.replaceAll('0', ''), width)
      return letter === letter.toLowerCase() ? padded : padded.toUpperCase()
    }
    case 's': {
      const text = values.text()
      return pad(precision === undefined ? text : text.slice(0, precision), flags.replaceAll('0', ''), width)
    }
    case 'q':
      return `"${values.text().replace(/["\\\n\r\0]/g, (char) => QUOTED[char] as string)}"`
    default:
      throw values.fail(`invalid option '%${letter}' to 'format'`)
  }
}
