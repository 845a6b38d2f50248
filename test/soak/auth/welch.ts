/** Two samples compared by Welch's unequal variances t-test. */
export interface Welch {
  /** Mean of the first less mean of the second. */
  readonly difference: number
  readonly t: number
  readonly degrees: number
  /** How likely a difference of this size, either way, is by chance alone. */
  readonly p: number
}

/** Welch's t-test (Welch, 1947), with the degrees of freedom of Satterthwaite. */
export function welch(a: readonly number[], b: readonly number[]): Welch {
  const [first, second] = [momentsOf(a), momentsOf(b)]
  const [va, vb] = [first.variance / a.length, second.variance / b.length]
  const difference = first.mean - second.mean
  const t = difference / Math.sqrt(va + vb)
  const degrees = (va + vb) ** 2 / (va ** 2 / (a.length - 1) + vb ** 2 / (b.length - 1))
  return { difference, t, degrees, p: incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) }
}

function momentsOf(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)
  return { mean, variance }
}

/** The logarithm of the gamma function (Lanczos' approximation, g = 7, nine terms). */
function logGamma(x: number): number {
  const terms = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ]
  const at = x - 1
  const t = at + 7.5
  const sum = terms.reduce((total, term, i) => total + (i === 0 ? term : term / (at + i)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (at + 0.5) * Math.log(t) - t + Math.log(sum)
}

/** The regularised incomplete beta function, by its continued fraction (Lentz' method). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  // The fraction converges quickly below the mean only; above it the complement does.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x))
  const tiny = 1e-300
  let c = 1
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny)
  let result = d
  for (let m = 1; m < 10_000; m++) {
    for (const numerator of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + numerator * d || tiny)
      c = 1 + numerator / c || tiny
      result *= d * c
    }
    if (Math.abs(d * c - 1) < 1e-14) break
  }
  return (front * result) / a
}
