/** C's `%.{precision}g`. */
export function formatG(value: number, precision: number, keepZeros = false): string {
  if (Number.isNaN(value)) return '-nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (value === 0) {
    const zero = Object.is(value, -0) ? '-0' : '0'
    return keepZeros && precision > 1 ? `${zero}.${'0'.repeat(precision - 1)}` : zero
  }
  const digits = Math.max(1, precision)
  const [mantissa, power] = value.toExponential(digits - 1).split('e') as [string, string]
  const exponent = Number(power)
  const strip = (text: string): string =>
    keepZeros || !text.includes('.') ? text : text.replace(/\.?0+$/, '')
  if (exponent < -4 || exponent >= digits) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${strip(mantissa)}e${exponent < 0 ? '-' : '+'}${size}`
  }
  return strip(value.toFixed(Math.max(0, digits - 1 - exponent)))
}

/** A number as Lua 5.1 turns it into a string. */
export function numberToString(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e14 && value !== 0 ? String(value) : formatG(value, 14)
}

/** A string as Lua reads it as a number: `strtod`, with blanks around it, and hexadecimal integers. */
export function stringToNumber(text: string): number | undefined {
  const trimmed = text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')
  const hex = /^([+-]?)0x([0-9a-f]+)$/i.exec(trimmed)
  if (hex) return (hex[1] === '-' ? -1 : 1) * Number(`0x${hex[2]}`)
  const named = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(trimmed)
  if (named) {
    if (/^nan$/i.test(named[2] as string)) return Number.NaN
    return named[1] === '-' ? -Infinity : Infinity
  }
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : undefined
}
