import { type } from 'arktype'
import {
  boolean,
  defineEnv,
  duration,
  EnvironmentError,
  email,
  integer,
  oneOf,
  origin,
  postgresUrl,
  rotatingSecret,
  secret,
  sentryDsn,
  text,
  url,
} from 'breakwater/env'
import fc from 'fast-check'
import * as v from 'valibot'
import { expect, it } from 'vitest'
import { z } from 'zod'

const env = defineEnv({
  vars: {
    V1: oneOf(['a', 'b']),
    V2: text(),
    V3: integer(),
    V4: boolean(),
    V5: duration(),
    V6: url(),
    V7: origin(),
    V8: postgresUrl(),
    V9: email(),
    V10: sentryDsn(),
    V11: secret({ minBytes: 1000 }),
    V12: rotatingSecret({ minBytes: 1000 }),
    V13: z.enum(['a']),
    V14: v.picklist(['a']),
    V15: type("'a' | 'b'"),
    V16: z.record(z.string(), z.number()),
    V17: secret(),
    V18: rotatingSecret(),
  },
})

// Long enough not to be a part of the error's own words by chance.
const word = fc.string({ minLength: 12, maxLength: 60 }).filter((s) => s.trim().length >= 12)
const value = fc.oneof(
  word,
  word.map((s) => `https://user:${encodeURIComponent(s)}@localhost/${encodeURIComponent(s)}`),
  word.map((s) => `sk_test_${s}`),
  word.map((s) => `changeme ${s}\n`),
  word.map((s) => `${s},${s}`),
  word.map((s) => ({ [s]: s })),
  word.map((s) => [s, s]),
)

it('no value of any variable is ever in the error', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 18, maxLength: 18 }), (values) => {
      const source: Record<string, unknown> = { ENVIRONMENT: 'production' }
      values.forEach((each, i) => {
        source[`V${i + 1}`] = each
      })
      let error: unknown
      try {
        env.load(source)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(EnvironmentError)
      const { message, stack, problems, cause } = error as EnvironmentError
      expect(cause).toBeUndefined()
      const said = `${message}\n${stack}\n${problems.flatMap((p) => Object.values(p)).join('\n')}`
      const texts = (each: unknown): string[] =>
        typeof each === 'string'
          ? [each]
          : Object.entries(each as object)
              .flat()
              .filter((s) => s.length > 1)
      for (const secretText of values.flatMap(texts)) {
        for (const part of secretText.split(/[,/@\n]|:\/\/|sk_test_|changeme /)) {
          if (part.trim().length >= 12) expect(said).not.toContain(part.trim())
        }
      }
    }),
    { numRuns: 300 },
  )
})
