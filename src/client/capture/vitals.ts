interface Entry extends PerformanceEntry {
  readonly value?: number
  readonly hadRecentInput?: boolean
  readonly interactionId?: number
}

function observe(type: string, seen: (entry: Entry) => void, more: object = {}): void {
  try {
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) seen(entry as Entry)
    }).observe({
      type,
      buffered: true,
      ...more,
    } as PerformanceObserverInit)
  } catch {
    // This browser does not measure it.
  }
}

/** Collects web vitals (LCP, CLS, INP, FCP, TTFB) as web.dev defines them; read them when the page is left. */
export function watchVitals(): Record<string, number> {
  const vitals: Record<string, number> = {}
  observe('largest-contentful-paint', ({ startTime }) => {
    vitals['lcp'] = startTime
  })
  observe('paint', ({ name, startTime }) => {
    if (name === 'first-contentful-paint') vitals['fcp'] = startTime
  })
  // The largest of the session windows: shifts at most a second apart, five seconds long.
  let sum = 0
  let first = 0
  let last = 0
  vitals['cls'] = 0
  observe('layout-shift', ({ startTime, value = 0, hadRecentInput }) => {
    if (hadRecentInput) return
    const same = startTime - last < 1000 && startTime - first < 5000
    sum = same ? sum + value : value
    if (!same) first = startTime
    last = startTime
    vitals['cls'] = Math.max(vitals['cls'] ?? 0, sum)
  })
  // The slowest interaction, one in fifty apart.
  const slowest = new Map<number, number>()
  observe(
    'event',
    ({ interactionId, duration }) => {
      if (!interactionId) return
      slowest.set(interactionId, Math.max(duration, slowest.get(interactionId) ?? 0))
      if (slowest.size > 500) slowest.delete(slowest.keys().next().value as number)
      const sorted = [...slowest.values()].sort((a, b) => b - a)
      vitals['inp'] = sorted[Math.floor(sorted.length / 50)] ?? 0
    },
    { durationThreshold: 40 },
  )
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
  if (navigation) vitals['ttfb'] = navigation.responseStart
  return vitals
}
