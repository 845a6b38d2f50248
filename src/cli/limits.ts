import { resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { type Duration, milliseconds } from '../core/index.ts'
import {
  addressNetwork,
  createLimiter,
  type Policies,
  presets,
  type RateLimiter,
  type RateLimitRequest,
  upstash,
} from '../rate-limit/index.ts'
import { createRedis } from '../redis/index.ts'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'limits'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] = 'Show, block, unblock and reset rate limited keys in Redis'
/** What follows the command. */
export const positionals: string = '<show|block|unblock|reset> KEY…'
/** More for its help. */
export const details: string = `A KEY is an address (203.0.113.7, 2001:db8::1), or whatever a policy's key function returns, such as
account:018f4e9c-7b1a-7c3d-8e5f-0123456789ab.

  show     what each policy has counted for the key
  block    refuse it for --for, by the policy default unless --policy names others
  unblock  end its block and forgive what led to it; spent quota stays spent
  reset    forget it altogether

Redis is found by UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN. Keys are hashed with the limiter's \`secret\`:
SESSION_SECRET (the first, when it is a list) unless --secret-from names another variable, or - for none. Policies of your
own are read from --policies, a module that exports them as \`policies\`. Isolates that know of a block ask again
within a minute.`

const OPTIONS = {
  policy: {
    type: 'string',
    multiple: true,
    value: 'NAME',
    summary: 'these policies only (all; block: default)',
  },
  for: { type: 'string', value: 'TIME', summary: 'block: how long, such as 30m or 24h (1h)' },
  policies: {
    type: 'string',
    value: 'FILE',
    summary: 'a module that exports `policies` (the presets alone)',
  },
  prefix: { type: 'string', value: 'TEXT', summary: "the limiter's prefix (bw:rl)" },
  'secret-from': {
    type: 'string',
    value: 'NAME',
    summary: 'the variable of its secret, or - for none (SESSION_SECRET)',
  },
  json: { type: 'boolean', summary: 'print one JSON object' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

type Values = CommandInput<typeof OPTIONS>['values']

function variable(name: string): string {
  const value = process.env[name]
  if (!value) throw new UsageError(`${name} is not set.`)
  return value
}

async function policiesOf(file: string | undefined): Promise<Policies> {
  if (file === undefined) return {}
  let module: { policies?: unknown }
  try {
    module = (await import(pathToFileURL(resolve(file)).href)) as typeof module
  } catch (error) {
    throw new CommandFailed(`${file} cannot be loaded: ${(error as Error).message}`)
  }
  if (typeof module.policies !== 'object' || module.policies === null) {
    throw new UsageError(`${file} exports no \`policies\`.`)
  }
  return module.policies as Policies
}

function limiterOf(values: Values, policies: Policies): RateLimiter {
  const from = values['secret-from'] ?? 'SESSION_SECRET'
  const [secret] = from === '-' ? [] : variable(from).split(',')
  const redis = createRedis({
    url: variable('UPSTASH_REDIS_REST_URL'),
    token: variable('UPSTASH_REDIS_REST_TOKEN'),
    timeout: '10 s',
  })
  return createLimiter({
    store: upstash(redis),
    policies,
    timeout: 10_000,
    ...(secret !== undefined && { secret: secret.trim() }),
    ...(values.prefix !== undefined && { prefix: values.prefix }),
  })
}

/** Addresses are limited by their network; anything else is a key as it stands. */
function keyOf(text: string): string {
  const network = addressNetwork(text)
  return network === undefined ? text : `ip:${network}`
}

function lengthOf(text: string): number {
  try {
    const ms = milliseconds(text as Duration)
    if (Number.isInteger(ms) && ms > 0) return ms
  } catch {}
  throw new UsageError(`--for ${text} is no time such as 30m or 24h.`)
}

/** Runs it. */
export async function run(input: CommandInput): Promise<number> {
  const values = input.values as Values
  const [action, ...written] = input.positionals
  if (action !== 'show' && action !== 'block' && action !== 'unblock' && action !== 'reset')
    throw new UsageError('breakwater limits needs one of: show, block, unblock, reset.')
  if (written.length === 0)
    throw new UsageError(`breakwater limits ${action} needs a key: an address, or account:…`)
  if (values.for !== undefined && action !== 'block') throw new UsageError('--for goes with block.')
  const policies = await policiesOf(values.policies)
  const known = Object.keys({ ...presets, ...policies })
  const names = values.policy ?? (action === 'block' ? ['default'] : known)
  for (const one of names) {
    if (!known.includes(one))
      throw new UsageError(`There is no policy ${one}; there are ${known.join(', ')}.`)
  }
  const length = lengthOf(values.for ?? '1h')
  const limiter = limiterOf(values, policies)
  const keys = written.map(keyOf)
  const requests: RateLimitRequest[] = keys.flatMap((key) => names.map((policy) => ({ policy, key })))
  try {
    if (action === 'block') await limiter.block(requests, length)
    else if (action !== 'show') await limiter[action](requests)
    const said: object[] = []
    for (const key of keys) {
      const { outcomes } = await limiter.peek(names.map((policy) => ({ policy, key })))
      for (const { policy, quota, remaining, reset, retryAfter, penalized } of outcomes)
        said.push({ key, policy: policy.name, quota, remaining, reset, blocked: penalized ? retryAfter : 0 })
    }
    process.stdout.write(`${values.json ? JSON.stringify({ limits: said }) : render(said as Line[])}\n`)
    return 0
  } catch (error) {
    const cause = (error as Error).cause
    const why = cause instanceof Error ? cause.message : (error as Error).message
    throw new CommandFailed(`Redis could not be asked: ${why}`, { cause: error })
  }
}

interface Line {
  readonly key: string
  readonly policy: string
  readonly quota: number
  readonly remaining: number
  readonly reset: number
  readonly blocked: number
}

function render(lines: readonly Line[]): string {
  const rows = [
    ['key', 'policy', 'left', 'whole in', ''],
    ...lines.map(({ key, policy, quota, remaining, reset, blocked }) => [
      key,
      policy,
      `${remaining} of ${quota}`,
      `${reset} s`,
      blocked > 0 ? `blocked for ${blocked} s` : '',
    ]),
  ]
  const widths = (rows[0] as string[]).map((_, i) =>
    Math.max(...rows.map((row) => (row[i] as string).length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
