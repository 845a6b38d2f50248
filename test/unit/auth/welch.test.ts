import { expect, it } from 'vitest'
import { incompleteBeta, welch } from '../../soak/auth/welch.ts'

it('computes what tables of the t distribution say', () => {
  // Two-sided critical values: t for p = 0.05 and 0.01.
  for (const [degrees, t, p] of [
    [1, 12.7062, 0.05],
    [5, 2.5706, 0.05],
    [10, 3.1693, 0.01],
    [30, 2.0423, 0.05],
    [1000, 2.5808, 0.01],
    [1_000_000, 1.95997, 0.05],
  ] as const) {
    expect(incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5)).toBeCloseTo(p, 4)
  }
})

it('tells apart what differs, and not what does not', () => {
  // By hand: means 3 and 6, variances 2.5 and 10 of five each, so t = -3 / sqrt(2.5).
  const { difference, t, degrees, p } = welch([1, 2, 3, 4, 5], [2, 4, 6, 8, 10])
  expect(difference).toBe(-3)
  expect(t).toBeCloseTo(-1.8974, 4)
  expect(degrees).toBeCloseTo(5.8824, 4)
  expect(p).toBeCloseTo(0.1075, 3)
  const noise = Array.from({ length: 1000 }, (_, i) => Math.sin(i * 12.9898) * 10)
  expect(welch(noise, [...noise].reverse()).p).toBeGreaterThan(0.99)
  expect(
    welch(
      noise,
      noise.map((value) => value + 2),
    ).p,
  ).toBeLessThan(1e-6)
})
