import { env as raw } from 'cloudflare:workers'
import { breakwater } from 'breakwater'
import { createCapture } from 'breakwater/capture'
import { createApp } from './app.ts'
import { environment } from './env.ts'
import { createServices } from './services.ts'

// At module scope: a deploy with a bad configuration fails before it takes traffic.
const env = environment.load(raw)

const capture = createCapture({
  dsn: env.SENTRY_DSN,
  release: env.CF_VERSION_METADATA.id,
  environment: env.ENVIRONMENT,
})
const services = createServices(env, capture)
const { accounts, alerts, backup, jobs, uploads, queries } = services

export default breakwater({
  app: createApp(services),
  capture,
  shield: { development: env.ENVIRONMENT === 'development' },
  queues: {
    'breakwater-jobs': (batch) => jobs.consume(batch),
    'breakwater-jobs-dead': (batch) => jobs.consumeDead(batch),
  },
  crons: {
    // One that fails must not keep the others from their turn.
    '* * * * *': () => all(jobs.cron(), uploads.sweep(), alerts.look(), queries.snapshot()),
    '17 3 * * *': () => all(backUp(), accounts.prune(), queries.report(), tidyUploads()),
  },
})

/** A backup that leaves something out is worth knowing of before it is needed. */
async function backUp(): Promise<void> {
  const result = await backup.run()
  if (result.status === 'complete' && result.notCovered.length > 0) {
    capture.captureMessage(`The backup does not cover: ${result.notCovered.join('; ')}`, { level: 'warning' })
  }
}

/** Objects of nobody's go; uploads that have lost theirs are worth knowing of. */
async function tidyUploads(): Promise<void> {
  const { missing } = await uploads.reconcile({ resume: true })
  if (missing.length > 0) {
    capture.captureMessage(`${missing.length} uploads have lost their object`, {
      level: 'error',
      extra: { missing: missing.slice(0, 100) },
    })
  }
}

async function all(...tasks: Promise<unknown>[]): Promise<void> {
  const failures = (await Promise.allSettled(tasks)).flatMap((task) =>
    task.status === 'rejected' ? [task.reason as unknown] : [],
  )
  for (const failure of failures)
    capture.captureException(failure, { mechanism: 'scheduled', handled: false })
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} cron tasks failed`)
}
