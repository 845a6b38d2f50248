import { request } from 'node:http'
import type { Local } from '../../src/local/index.ts'
import { eventually } from '../system/support/visitor.ts'
import type { Row } from './table.ts'

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
  readonly problem: Record<string, unknown>
}

interface Case {
  readonly id: string
  readonly title: string
  /** Resolves when it holds; else throws, or gives the reason why it does not apply. */
  readonly test: () => Promise<{ readonly na: string } | undefined>
}

function must(holds: unknown, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Asks a running reference app, from outside.
 * @param lines Where the worker's log lines arrive.
 * @param wanted Which rows, by their id. Default: all.
 */
export async function problemRows(
  local: Local,
  lines: readonly string[],
  wanted: (id: string) => boolean = () => true,
): Promise<Row[]> {
  const base = local.worker ?? ''
  const page = { origin: base, 'sec-fetch-site': 'same-origin' }
  const json = { ...page, 'content-type': 'application/json' }

  /** Over `node:http`, which lets more through than `fetch`. */
  const ask = (
    path: string,
    init: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const { method = 'GET', body } = init
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const outgoing = request(
        base + path,
        { method, headers: { ...init.headers, ...length } },
        (incoming) => {
          let text = ''
          incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          incoming.on('end', () => {
            const headers = new Headers()
            for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
              headers.append(incoming.rawHeaders[i] ?? '', incoming.rawHeaders[i + 1] ?? '')
            }
            let problem: Record<string, unknown> = {}
            try {
              problem = JSON.parse(text) as Record<string, unknown>
            } catch {}
            resolve({ status: incoming.statusCode ?? 0, headers, body: text, problem })
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })

  const fault = (url: string, body: unknown): Promise<Response> =>
    fetch(`${url}/__breakwater/faults`, {
      method: body ? 'PUT' : 'DELETE',
      ...(body ? { body: JSON.stringify(body) } : {}),
    })

  /** Every kind of failure that can be had from outside, by the status it must be answered with. */
  const kinds: Readonly<
    Record<string, readonly [status: number, code: string | undefined, () => Promise<Answer>]>
  > = {
    'an unknown path': [404, 'not-found', () => ask('/nothing/here')],
    'a known path by another method': [
      405,
      'method-not-allowed',
      () => ask('/me', { method: 'PUT', headers: page }),
    ],
    'nobody signed in': [401, 'unauthenticated', () => ask('/me')],
    'another site’s form': [
      403,
      'cross-site-request',
      () =>
        ask('/auth/sign-out', {
          method: 'POST',
          headers: { origin: 'https://evil.dev', 'sec-fetch-site': 'cross-site' },
        }),
    ],
    'malformed JSON': [
      400,
      'malformed-json',
      () => ask('/auth/sign-in', { method: 'POST', headers: json, body: '{"email":' }),
    ],
    'JSON nested too deeply': [
      400,
      undefined,
      () =>
        ask('/auth/sign-in', { method: 'POST', headers: json, body: '['.repeat(5000) + ']'.repeat(5000) }),
    ],
    'input that is not valid': [
      422,
      'validation-failed',
      () => ask('/auth/sign-in', { method: 'POST', headers: json, body: '{"email":"nobody","password":7}' }),
    ],
    'a body of another type': [
      415,
      'unsupported-media-type',
      () =>
        ask('/auth/sign-in', {
          method: 'POST',
          headers: { ...page, 'content-type': 'text/plain' },
          body: 'hello',
        }),
    ],
    'a body that is too large': [
      413,
      'payload-too-large',
      () =>
        ask('/auth/sign-in', {
          method: 'POST',
          headers: json,
          body: JSON.stringify({ email: 'a@acme.dev', password: 'x'.repeat(100_000) }),
        }),
    ],
    'a wrong password': [
      401,
      'invalid-credentials',
      () =>
        ask('/auth/sign-in', {
          method: 'POST',
          headers: json,
          body: '{"email":"nobody@acme.dev","password":"a password of nobody"}',
        }),
    ],
    'a token that was never given': [
      400,
      'invalid-token',
      () =>
        ask('/auth/verify-mail', {
          method: 'POST',
          headers: json,
          body: JSON.stringify({ token: 'x'.repeat(43) }),
        }),
    ],
    'an error nobody expected': [500, 'internal', () => ask('/boom')],
    'a database that is out': [
      503,
      undefined,
      async () => {
        await fault(local.neon, { status: 503 })
        try {
          return await ask('/auth/sign-in', {
            method: 'POST',
            headers: json,
            body: '{"email":"nobody@acme.dev","password":"a password of nobody"}',
          })
        } finally {
          await fault(local.neon, undefined)
        }
      },
    ],
  }
  const answers = new Map<string, Promise<Answer>>()
  const answerOf = (kind: string): Promise<Answer> => {
    let answer = answers.get(kind)
    if (answer === undefined) {
      const [, , get] = kinds[kind] ?? []
      if (get === undefined) throw new Error(`no kind "${kind}"`)
      answer = get()
      answers.set(kind, answer)
    }
    return answer
  }
  const everywhere = async (holds: (answer: Answer, kind: string) => void): Promise<undefined> => {
    for (const [i, kind] of Object.keys(kinds).entries()) {
      if (!wanted(`kind.${i + 1}`)) continue
      const answer = await answerOf(kind)
      try {
        holds(answer, kind)
      } catch (error) {
        throw new Error(`${kind}: ${(error as Error).message}`)
      }
    }
  }

  const cases: Case[] = [
    ...Object.entries(kinds).map(
      ([kind, [status, code]], i): Case => ({
        id: `kind.${i + 1}`,
        title: `${kind} is answered ${status} as application/problem+json`,
        test: async () => {
          const answer = await answerOf(kind)
          must(answer.status === status, `answered ${answer.status}: ${answer.body.slice(0, 120)}`)
          must(
            answer.headers.get('content-type') === 'application/problem+json',
            String(answer.headers.get('content-type')),
          )
          if (code !== undefined) must(answer.problem['code'] === code, `code ${answer.problem['code']}`)
          return undefined
        },
      }),
    ),
    {
      id: '3',
      title: 'A problem is a JSON object',
      test: () =>
        everywhere(({ problem }) => must(typeof problem['status'] === 'number', 'no object with a status')),
    },
    {
      id: '3.1',
      title:
        'Members of the wrong type do not occur: type, title, detail and instance are strings, status a number',
      test: () =>
        everywhere(({ problem }) => {
          for (const name of ['type', 'title'])
            must(typeof problem[name] === 'string', `${name} is no string`)
          for (const name of ['detail', 'instance']) {
            must(problem[name] === undefined || typeof problem[name] === 'string', `${name} is no string`)
          }
        }),
    },
    {
      id: '3.1.1a',
      title: 'type is an absolute URI',
      test: () =>
        everywhere(({ problem }) => must(URL.canParse(String(problem['type'])), `type ${problem['type']}`)),
    },
    {
      id: '3.1.1b',
      title: 'type is the same for each occurrence of a kind, and differs between kinds',
      test: async () => {
        const first = await ask('/one')
        const second = await ask('/another')
        must(first.problem['type'] === second.problem['type'], 'two types of one kind')
        must(
          (await answerOf('nobody signed in')).problem['type'] !== first.problem['type'],
          'one type of two kinds',
        )
        return undefined
      },
    },
    {
      id: '3.1.2',
      title: 'status is the status of the reply',
      test: () =>
        everywhere(({ status, problem }) =>
          must(problem['status'] === status, `status ${problem['status']}`),
        ),
    },
    {
      id: '3.1.3',
      title: 'title does not change from occurrence to occurrence',
      test: async () => {
        const [first, second] = [await ask('/one'), await ask('/another')]
        must(first.problem['title'] === second.problem['title'], 'two titles of one kind')
        return undefined
      },
    },
    {
      id: '3.1.4',
      title: 'detail helps the caller and does not debug: no stack, no statement, no file',
      test: () =>
        everywhere(({ problem }) =>
          must(
            !/\bat \S+ \(|\.[jt]s:\d|select |insert /i.test(String(problem['detail'])),
            String(problem['detail']),
          ),
        ),
    },
    {
      id: '3.1.5',
      title: 'instance is a URI of this occurrence alone',
      test: async () => {
        const seen = new Set<unknown>()
        await everywhere(({ problem }) => {
          must(URL.canParse(String(problem['instance'])), `instance ${problem['instance']}`)
          must(!seen.has(problem['instance']), 'an instance twice')
          seen.add(problem['instance'])
        })
        return undefined
      },
    },
    {
      id: '3.2',
      title:
        'Names of extension members begin with a letter and have three characters or more, of A-Z a-z 0-9 _',
      test: () =>
        everywhere(({ problem }) => {
          for (const name of Object.keys(problem)) must(/^[A-Za-z]\w{2,}$/.test(name), `member ${name}`)
        }),
    },
    {
      id: '4',
      title: 'A plain HTTP status without more to say has the type about:blank',
      test: async () => ({ na: 'every failure of the reference app has a kind of its own' }),
    },
    {
      id: '4.2',
      title: 'Kinds of others are named as IANA registers them: quota-exceeded',
      test: async () => {
        for (let i = 0; i < 14; i++) {
          const answer = await ask('/auth/sign-in', {
            method: 'POST',
            headers: { ...json, 'cf-connecting-ip': '198.18.7.7' },
            body: '{"email":"guessed@acme.dev","password":"one of many guesses"}',
          })
          if (answer.status !== 429) continue
          must(answer.problem['code'] === 'quota-exceeded', `code ${answer.problem['code']}`)
          must(
            answer.problem['type'] === 'https://iana.org/assignments/http-problem-types#quota-exceeded',
            `type ${answer.problem['type']}`,
          )
          must(Number(answer.headers.get('retry-after')) > 0, 'no Retry-After')
          return undefined
        }
        throw new Error('never refused')
      },
    },
    {
      id: '5',
      title: 'Nothing of the inside is told: no stack, no secret, no cause',
      test: () =>
        everywhere(({ body, problem }, kind) => {
          // The stack runs as in development here; what it shows then is in one member.
          const shown = JSON.stringify({ ...problem, debug: undefined })
          const secrets = ['SESSION_SECRET', 'OPS_TOKEN', 'BACKUP_KEY'].map((name) => local.vars[name] ?? '')
          must(!secrets.some((secret) => secret !== '' && body.includes(secret)), 'a secret')
          must(!/\n?\s+at |asked to fail/.test(shown), `${kind} tells: ${shown}`)
        }),
    },
    {
      id: '6',
      title:
        'A list of faults locates each by JSON Pointer and says what is wrong, without repeating the input',
      test: async () => {
        const secret = 'hunter2-is-my-password'
        const answer = await ask('/auth/sign-up', {
          method: 'POST',
          headers: json,
          body: JSON.stringify({ email: secret, password: 5 }),
        })
        const errors = answer.problem['errors'] as { pointer: string; detail: string }[]
        must(errors.length === 2, `${errors.length} faults`)
        must(
          errors
            .map((one) => one.pointer)
            .sort()
            .join() === '/email,/password',
          JSON.stringify(errors),
        )
        must(!answer.body.includes(secret), 'repeats the input')
        return undefined
      },
    },
    {
      id: 'own.html',
      title: 'A browser that navigates gets a page, which says that it depends on Accept and runs nothing',
      test: async () => {
        const answer = await ask('/nothing', {
          headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' },
        })
        must(
          answer.status === 404 && answer.headers.get('content-type') === 'text/html; charset=utf-8',
          answer.body,
        )
        must(answer.headers.get('vary')?.toLowerCase().includes('accept'), 'no Vary')
        must(answer.headers.get('content-security-policy')?.includes("default-src 'none'"), 'no CSP')
        must(answer.body.includes(answer.headers.get('x-request-id') ?? '?'), 'no reference')
        return undefined
      },
    },
    {
      id: 'own.accept',
      title: 'Accept is read with its weights: application/json before text/html gets JSON',
      test: async () => {
        for (const accept of [
          'application/json, text/html;q=0.9',
          '*/*',
          'text/html;q=0, */*;q=0.1',
          'garbage;;;',
        ]) {
          const { headers } = await ask('/nothing', { headers: { accept } })
          must(
            headers.get('content-type') === 'application/problem+json',
            `${accept}: ${headers.get('content-type')}`,
          )
        }
        return undefined
      },
    },
    {
      id: 'own.head',
      title: 'HEAD gets the status and the header fields without a body',
      test: async () => {
        const answer = await ask('/nothing', { method: 'HEAD' })
        must(answer.status === 404 && answer.body === '', `${answer.status} ${answer.body}`)
        must(answer.headers.get('content-type') === 'application/problem+json', 'no type')
        return undefined
      },
    },
    {
      id: 'own.allow',
      title: '405 lists the methods in Allow, and OPTIONS is answered with them (RFC 9110, 15.5.6)',
      test: async () => {
        const answer = await answerOf('a known path by another method')
        must(answer.headers.get('allow') === 'GET, HEAD', `Allow: ${answer.headers.get('allow')}`)
        const options = await ask('/me', { method: 'OPTIONS' })
        must(
          options.status === 204 && options.headers.get('allow') === 'GET, HEAD',
          `OPTIONS: ${options.status}`,
        )
        return undefined
      },
    },
    {
      id: 'own.cache',
      title: 'A problem is never cached',
      test: () =>
        everywhere(({ headers }) => must(headers.get('cache-control') === 'no-store', 'may be cached')),
    },
    {
      id: 'own.headers',
      title: 'Header fields set before the failure survive it: security headers and RateLimit',
      test: async () => {
        await everywhere(({ headers }) =>
          must(
            headers.get('x-content-type-options') === 'nosniff' && headers.get('referrer-policy'),
            'no security headers',
          ),
        )
        const { headers } = await answerOf('nobody signed in')
        must(headers.get('ratelimit-policy') && headers.get('ratelimit'), 'no RateLimit')
        return undefined
      },
    },
    {
      id: 'own.retry',
      title: '503 says when to come back',
      test: async () => {
        const answer = await answerOf('a database that is out')
        must(Number(answer.headers.get('retry-after')) > 0, 'no Retry-After')
        return undefined
      },
    },
    {
      id: 'own.id',
      title: 'The request id of the reply is the one of the document, new each time',
      test: () =>
        everywhere(({ headers, problem }) => {
          const id = headers.get('x-request-id') ?? ''
          must(UUID.test(id), `id ${id}`)
          must(problem['instance'] === `urn:uuid:${id}`, `instance ${problem['instance']}`)
        }),
    },
    {
      id: 'own.foreign-id',
      title: 'A request id of the caller is not taken over',
      test: async () => {
        const { headers } = await ask('/nothing', { headers: { 'x-request-id': 'chosen-by-somebody' } })
        must(headers.get('x-request-id') !== 'chosen-by-somebody', 'taken over')
        return undefined
      },
    },
    {
      id: 'own.log',
      title: 'The log line of a failed request has the same id',
      test: async () => {
        const id = (await answerOf('an error nobody expected')).headers.get('x-request-id') ?? ''
        await eventually(
          async () => lines.some((line) => line.includes(id)),
          (found) => found,
          5000,
        )
        return undefined
      },
    },
    {
      id: 'own.event',
      title: 'The event in error capture has the same id',
      test: async () => {
        const id = (await answerOf('an error nobody expected')).headers.get('x-request-id') ?? ''
        await eventually(
          async () => {
            const { events } = (await (await fetch(`${local.sentry}/api/events?type=event`)).json()) as {
              events: { id: string }[]
            }
            const all = await Promise.all(
              events.map(async (event) => (await fetch(`${local.sentry}/api/events/${event.id}`)).text()),
            )
            return all.some((event) => event.includes(id))
          },
          (found) => found,
          10_000,
        )
        return undefined
      },
    },
  ]

  const rows: Row[] = []
  for (const { id, title, test } of cases) {
    if (!wanted(id)) continue
    try {
      const outcome = await test()
      rows.push(outcome ? { id, title, status: 'na', note: outcome.na } : { id, title, status: 'pass' })
    } catch (error) {
      rows.push({ id, title, status: 'fail', note: (error as Error).message.slice(0, 300) })
    }
  }
  return rows
}
