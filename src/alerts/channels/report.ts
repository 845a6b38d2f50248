import type { Reporter } from '../../core/index.ts'
import type { Channel } from '../channel.ts'

/** Tells the error tracker, where its own rules take it further. One issue for each alert. */
export function report(reporter: Reporter): Channel {
  return {
    name: 'report',
    async send({ key, rule, status, title, detail }) {
      reporter.captureMessage(status === 'firing' ? title : `Over: ${rule}`, {
        level: status === 'firing' ? 'error' : 'info',
        mechanism: 'alert',
        tags: { alert: rule, alert_status: status },
        extra: { detail },
        fingerprint: ['alert', key],
      })
    },
  }
}
