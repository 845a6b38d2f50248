import { type DoctorCheck, type Finding, outcome, skip } from '../check.ts'
import { environmentOf, tableName, tablesAt } from '../wrangler.ts'

/** A message that failed for the last time is deleted unless there is a queue for such. */
export const deadLetters: DoctorCheck = {
  id: 'WRANGLER-15',
  level: 'error',
  title: 'Each queue has a dead letter queue',
  run({ wrangler, environment }) {
    if (typeof wrangler === 'string') return skip(wrangler)
    const { settings } = environmentOf(wrangler, environment)
    const consumers = tablesAt(settings, 'queues.consumers')
    if (consumers.length === 0) return skip('the Worker consumes no queue')
    const dead = new Set(consumers.map((consumer) => consumer['dead_letter_queue']))
    const findings: Finding[] = []
    for (const { queue, dead_letter_queue: target } of consumers) {
      if (typeof queue !== 'string' || dead.has(queue)) continue
      const place = `under queue = "${queue}" in ${tableName(environment, 'queues.consumers', true)}`
      if (typeof target !== 'string' || target === '' || target === queue) {
        findings.push({
          message: `Messages of ${queue} that keep failing are lost`,
          hint: `${wrangler.file}: dead_letter_queue = "${queue}-dead" ${place}, then: wrangler queues create ${queue}-dead`,
        })
      }
    }
    return outcome(findings)
  },
}
