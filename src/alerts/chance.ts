/**
 * How likely chance alone gives `k` or more hits in `n` tries of probability `p`: the upper tail of the binomial
 * distribution, summed exactly. Never less than 1e-300.
 */
export function binomialTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1
  if (k > n || p <= 0) return 1e-300
  if (p >= 1) return 1
  // From the k-th term on, each from the one before; in logarithms, since the first may be very small.
  let log = logChoose(n, k) + k * Math.log(p) + (n - k) * Math.log1p(-p)
  let sum = 0
  const ratio = p / (1 - p)
  for (let i = k; i <= n; i++) {
    const term = Math.exp(log)
    sum += term
    if (i > n * p && term < sum * 1e-12) break
    log += Math.log(((n - i) / (i + 1)) * ratio)
  }
  return Math.min(1, Math.max(sum, 1e-300))
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k)
}

function logFactorial(n: number): number {
  if (n < 2) return 0
  if (n < 64) {
    let sum = 0
    for (let i = 2; i <= n; i++) sum += Math.log(i)
    return sum
  }
  // Stirling's series; the error is below 1e-12 from here on.
  return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3)
}

/** Hits among tries. */
export interface Share {
  readonly hits: number
  readonly tries: number
}

/**
 * How likely chance explains what is seen now if the true rate were at most `factor` times that of before.
 *
 * The conditional test of two Poisson rates (Przyborowski and Wilenski, 1940): given all hits of both, those of now are
 * binomial with the share of tries that are now's, weighted by the factor. Exact whatever the counts, and whatever the
 * rate before was, 0 included.
 */
export function chanceOfJump(now: Share, before: Share, factor: number): number {
  const all = now.hits + before.hits
  if (all === 0 || now.tries === 0) return 1
  const weighted = now.tries * factor
  return binomialTail(now.hits, all, weighted / (weighted + before.tries))
}
