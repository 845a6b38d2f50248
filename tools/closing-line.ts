import type { Reporter, TestModule } from 'vitest/node'

/**
 * Ends a run with one line that machines can read: `123 passed, 0 failed`. Before it come the tests that passed only
 * when they were tried again.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    const again: string[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        count[test.result().state]++
        if (test.diagnostic()?.flaky) again.push(`${module.relativeModuleId} > ${test.fullName}`)
      }
      // A file that fails to load has no tests to count and has failed all the same.
      if (module.errors().length > 0) count.failed++
    }
    count.failed += errors.length
    const skipped = count.skipped + count.pending
    // Vitest's own summary is written after its reporters: come last.
    process.once('exit', () => {
      for (const name of again) console.log(`passed at the second try: ${name}`)
      console.log(
        `${count.passed} passed, ${count.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
      )
    })
  }
}
