import {
  bindings,
  defineEnv,
  email,
  type InferBindings,
  oneOf,
  origin,
  postgresUrl,
  rotatingSecret,
  secret,
  sentryDsn,
  text,
  url,
} from 'breakwater/env'

/**
 * What this app needs around it. `npx breakwater env` prints it as a table; a deploy without it fails before it
 * takes traffic. Imports nothing from `cloudflare:workers`, so that the command line can read it.
 */
export const environment = defineEnv({
  vars: {
    ENVIRONMENT: oneOf(['development', 'test', 'production'], {
      description:
        'Which rules apply. Production refuses development values; only development shows stacks; test is production on local parts.',
    }),
    APP_ORIGIN: origin({
      description: 'Where browsers reach the app. CSRF and CORS checks and links in mails stand on it.',
      example: 'https://app.acme.dev',
    }),
    DATABASE_URL: postgresUrl({
      description: 'Postgres, by the pooled address.',
      example: 'postgres://app:password@ep-name-pooler.region.aws.neon.tech/app',
    }),
    UPSTASH_REDIS_REST_URL: url({
      description: 'Redis over HTTP, for rate limits and revocation marks.',
      example: 'https://name.upstash.io',
    }),
    UPSTASH_REDIS_REST_TOKEN: secret({ description: "That Redis's token.", minBytes: 16 }),
    SESSION_SECRET: rotatingSecret({ description: 'Signs session cookies and the links in mails.' }),
    SENTRY_DSN: sentryDsn({
      description: 'Where errors are reported.',
      example: 'https://key@o0.ingest.sentry.io/0',
    }),
    RESEND_API_KEY: secret({ description: 'Sends mail.', example: 're_…', minBytes: 16 }),
    MAIL_FROM: email({
      description: 'Who mails come from, on a domain the mail provider has verified.',
      displayName: true,
      example: 'Acme <hello@acme.dev>',
    }),
    OPS_TOKEN: secret({ description: "Opens /readyz's details and the operators' routes." }),
    BACKUP_KEY: rotatingSecret({
      description: 'Encrypts backups. Keep a copy apart from everything else: without it they are noise.',
    }),
    R2_ENDPOINT: url({
      description: "R2's S3 API, for uploads straight to the bucket; absent, all go through the worker.",
      example: 'https://account.r2.cloudflarestorage.com',
    }).optional(),
    R2_BUCKET: text({
      description: 'The name of the bucket behind UPLOADS; needed with R2_ENDPOINT.',
    }).optional(),
    R2_ACCESS_KEY_ID: text({
      description: 'An R2 token that may write that bucket and nothing else.',
    }).optional(),
    R2_SECRET_ACCESS_KEY: secret({ description: "That token's secret.", minBytes: 16 }).optional(),
    PWNED_ENDPOINT: url({
      description: 'Where leaked passwords are asked for, when not at Have I Been Pwned itself.',
    }).optional(),
    NEON_ENDPOINT: url({ description: 'Only for development: the local Neon endpoint.' }).optional(),
    MAIL_ENDPOINT: url({ description: 'Only for development: the local mailbox.' }).optional(),
  },
  bindings: {
    UPLOADS: bindings.r2(),
    BACKUPS: bindings.r2(),
    JOBS: bindings.queue(),
    ASSETS: bindings.assets(),
    IMAGES: bindings.images().optional(),
    CF_VERSION_METADATA: bindings.versionMetadata(),
  },
})

/** `c.env` of this app. */
export type Bindings = InferBindings<typeof environment>
