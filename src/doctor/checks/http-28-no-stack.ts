import { type DoctorCheck, type Finding, outcome, skip } from '../check.ts'

const STACK = /^\s*at .{1,200}:\d+:\d+\)?\s*$|\bnode_modules\/|\b[\w./-]+\.(ts|js|mjs):\d+:\d+/m

/** Stacks and paths of the source help nobody but who looks for a way in. */
export const noStack: DoctorCheck = {
  id: 'HTTP-28',
  level: 'error',
  title: 'Errors show no stack',
  async run({ site }) {
    if (typeof site === 'string') return skip(site)
    const findings: Finding[] = []
    // A path that is not there, and one that is not even a path.
    for (const path of ['/breakwater-doctor/no-such-page', '/breakwater-doctor/%c0%ae%ff']) {
      const { status, body } = await site.get(path)
      if (STACK.test(body)) {
        findings.push({
          message: `${path} shows a stack`,
          hint: 'render errors in one place, without stack or cause, when ENVIRONMENT is production',
        })
      } else if (status >= 500) {
        findings.push({
          message: `${path} answers ${status} where 404 is expected`,
          hint: 'answer unknown paths with 404, and malformed ones with 400 or 404',
        })
      }
    }
    return outcome(findings)
  },
}
