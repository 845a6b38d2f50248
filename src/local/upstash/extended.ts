// INCRBYFLOAT and HINCRBYFLOAT compute in the processor's extended precision (64 bits of mantissa) and print 17
// decimals. Doubles would answer 0.30000000000000004 where Redis answers 0.3, so the format is computed here.

const PRECISION = 64n

/** mantissa · 2^exponent */
interface Extended {
  readonly mantissa: bigint
  readonly exponent: number
}

function bitLength(value: bigint): bigint {
  return BigInt((value < 0n ? -value : value).toString(2).length)
}

/** numerator / denominator · 2^exponent, rounded to 64 bits, ties to even. */
function round(numerator: bigint, denominator: bigint, exponent: number): Extended {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 }
  const negative = numerator < 0n
  let n = negative ? -numerator : numerator
  let d = denominator
  let e = exponent
  let shift = PRECISION - (bitLength(n) - bitLength(d))
  for (;;) {
    if (shift >= 0n) n <<= shift
    else d <<= -shift
    e -= Number(shift)
    let quotient = n / d
    if (bitLength(quotient) > PRECISION) {
      shift = -1n
      continue
    }
    const twice = (n % d) * 2n
    if (twice > d || (twice === d && (quotient & 1n) === 1n)) quotient += 1n
    return { mantissa: negative ? -quotient : quotient, exponent: e }
  }
}

function parse(text: string): Extended | undefined {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text)
  if (!match || (match[2] === '' && match[3] === '')) return undefined
  const scale = Number(match[4] ?? 0) - (match[3] as string).length
  if (Math.abs(scale) > 5000) return undefined
  const digits = BigInt(`${match[2]}${match[3]}`) * (match[1] === '-' ? -1n : 1n)
  return scale >= 0 ? round(digits * 10n ** BigInt(scale), 1n, 0) : round(digits, 10n ** BigInt(-scale), 0)
}

function add(a: Extended, b: Extended): Extended {
  const exponent = Math.min(a.exponent, b.exponent)
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent))
  return round(sum, 1n, exponent)
}

function format(value: Extended): string {
  const negative = value.mantissa < 0n
  const mantissa = negative ? -value.mantissa : value.mantissa
  const scaled = mantissa * 10n ** 17n
  let units: bigint
  if (value.exponent >= 0) units = scaled << BigInt(value.exponent)
  else {
    const divisor = 1n << BigInt(-value.exponent)
    units = scaled / divisor
    const twice = (scaled % divisor) * 2n
    if (twice > divisor || (twice === divisor && (units & 1n) === 1n)) units += 1n
  }
  const digits = units.toString().padStart(18, '0')
  const text = `${digits.slice(0, -17)}.${digits.slice(-17)}`.replace(/\.?0+$/, '')
  return negative && text !== '0' ? `-${text}` : text
}

/** Whether a text is a finite number to `strtold`. */
export function isExtended(text: string): boolean {
  return parse(text) !== undefined
}

/** The sum of two decimal texts in extended precision, printed as Redis prints it. */
export function addExtended(a: string, b: string): string | undefined {
  const left = parse(a)
  const right = parse(b)
  return left && right && format(add(left, right))
}
