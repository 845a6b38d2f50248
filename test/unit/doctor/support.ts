import type { AnyEnvDefinition, DoctorCheck, LiveSite, Project } from 'breakwater/doctor'
import { bindings, defineEnv, oneOf, rotatingSecret, secret, sentryDsn, text } from 'breakwater/env'
import { parseWrangler } from '../../../src/doctor/wrangler.ts'

/** A declared environment with one of each kind that checks tell apart. */
const definition = defineEnv({
  vars: {
    ENVIRONMENT: oneOf(['development', 'production']),
    NAME: text(),
    SENTRY_DSN: sentryDsn().optional(),
    SESSION_SECRET: rotatingSecret(),
    OPS_TOKEN: secret().optional(),
  },
  bindings: { UPLOADS: bindings.r2(), JOBS: bindings.queue(), CACHE: bindings.kv().optional() },
}) as unknown as AnyEnvDefinition

/** A project that every check passes. */
export const soundToml = `
name = "sound"
main = "worker/index.ts"
compatibility_date = "2026-10-01"
workers_dev = false
preview_urls = false
upload_source_maps = true
[vars]
ENVIRONMENT = "production"
NAME = "Sound"
[secrets]
required = ["SESSION_SECRET"]
[[r2_buckets]]
binding = "UPLOADS"
bucket_name = "uploads"
[[queues.producers]]
binding = "JOBS"
queue = "jobs"
[[queues.consumers]]
queue = "jobs"
dead_letter_queue = "jobs-dead"
[[queues.consumers]]
queue = "jobs-dead"
[version_metadata]
binding = "CF_VERSION_METADATA"
[observability]
enabled = true
`

/** Replies by path; a missing path is a 404. */
export function fakeSite(
  replies: Record<string, { status?: number; headers?: Record<string, string>; body?: string }>,
  origin = 'https://app.acme.dev',
): LiveSite {
  return {
    origin,
    async get(path) {
      const { status = 200, headers = {}, body = '' } = replies[path] ?? { status: 404 }
      return { url: path, status, headers: new Headers(headers), body }
    },
  }
}

/** Git as it answers in a repository that tracks `tracked` and ignores `ignored`. */
export function fakeGit(tracked: string[], ignored: string[]): Project['git'] {
  return (command, ...args) =>
    command === 'ls-files'
      ? { code: 0, stdout: tracked.map((file) => `${file}\0`).join('') }
      : { code: ignored.includes(args.at(-1) ?? '') ? 0 : 1, stdout: '' }
}

/** A sound project with something changed. */
export function project({
  toml = soundToml,
  ...changes
}: Partial<Project> & { toml?: string } = {}): Project {
  return {
    root: '/nowhere',
    environment: undefined,
    wrangler: parseWrangler('wrangler.toml', toml),
    definition,
    site: 'no site',
    now: Date.parse('2026-11-22'),
    git: fakeGit(['src/index.ts', '.dev.vars.example'], ['.dev.vars']),
    ...changes,
  }
}

/** What a check says of a project: `pass`, `skip`, or its findings' messages. */
export async function verdict(check: DoctorCheck, of: Project): Promise<string | string[]> {
  const result = await check.run(of)
  return result.status === 'fail' ? result.findings.map((finding) => finding.message) : result.status
}
