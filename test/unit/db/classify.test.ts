import { isPostgresError, PostgresError } from 'breakwater/db'
import { describe, expect, it } from 'vitest'
import { classify, worthAnother } from '../../../src/db/classify.ts'

const change = { statement: 'update t set a = ?', readOnly: false, aborted: false }

function answered(code: string, message = 'said', more: Record<string, string> = {}): Error {
  return Object.assign(new Error(message), { code, severity: 'ERROR', ...more })
}

/** What the HTTP driver throws. */
function driver(message: string, more: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(message), { name: 'NeonDbError', ...more })
}

function fetchFailed(cause: unknown): Error {
  return driver('Error connecting to database: TypeError: fetch failed', {
    sourceError: new TypeError('fetch failed', { cause }),
  })
}

describe('what Postgres said', () => {
  it.each([
    ['23505', 'unique-violation', 409],
    ['23503', 'foreign-key-violation', 409],
    ['23P01', 'exclusion-violation', 409],
    ['23514', 'check-violation', 500],
    ['23502', 'not-null-violation', 500],
    ['40001', 'serialization-failure', 409],
    ['40P01', 'deadlock', 409],
    ['57014', 'timeout', 504],
    ['55P03', 'timeout', 504],
    ['57P01', 'unavailable', 503],
    ['53300', 'unavailable', 503],
    ['08006', 'unavailable', 503],
    ['42P01', 'rejected', 500],
    ['P0001', 'rejected', 500],
  ])('%s is %s', (code, failure, status) => {
    const { error } = classify(answered(code), change)
    expect(error).toMatchObject({ failure, status, sqlState: code })
  })

  it('is found inside what others wrapped around it', () => {
    const wrapped = new Error('Failed query: … params: secret', { cause: answered('23505') })
    expect(classify(wrapped, change).error.failure).toBe('unique-violation')
  })

  it('keeps names and drops values', () => {
    const { error } = classify(
      answered('23505', 'duplicate key value violates unique constraint "users_email_key"', {
        detail: 'Key (email)=(ada@example.com) already exists.',
        where: "unnamed portal parameter $1 = 'ada@example.com'",
        hint: 'ada@example.com',
        schema: 'app',
        table: 'users',
        constraint: 'users_email_key',
      }),
      change,
    )
    expect(error).toMatchObject({ schema: 'app', table: 'users', constraint: 'users_email_key' })
    expect((error.cause as Error).message).toBe(
      '23505: duplicate key value violates unique constraint "users_email_key" [update t set a = ?]',
    )
    expect(everythingIn(error)).not.toContain('ada@example.com')
  })

  it.each([
    ['22P02', 'invalid input syntax for type integer: "4111 1111"'],
    ['22P02', 'invalid input value for enum mood: "4111 "1111""'],
    ['22003', 'value "41111111" is out of range for type integer'],
    ['22008', 'date/time field value out of range: "4111-1111"'],
    ['P0001', "no account for '4111'"],
    ['P0001', 'card 4111 refused'],
  ])('drops the value that is quoted in a message (%s: %s)', (code, message) => {
    expect(everythingIn(classify(answered(code, message), change).error)).not.toContain('4111')
  })
})

describe('what the line said', () => {
  it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])(
    'knows that nothing was sent after %s',
    (code) => {
      const { error, unsent } = classify(fetchFailed(Object.assign(new Error('connect'), { code })), change)
      expect(unsent).toBe(true)
      expect(error.failure).toBe('unavailable')
      expect(worthAnother(error)).toBe(true)
    },
  )

  it('looks into a connection that was tried at several addresses', () => {
    const both = Object.assign(
      new AggregateError([Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })]),
    )
    expect(classify(fetchFailed(both), change).unsent).toBe(true)
  })

  it('does not know what became of a change when the line broke', () => {
    const broken = fetchFailed(Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }))
    expect(classify(broken, change)).toMatchObject({ unsent: false, error: { failure: 'outcome-unknown' } })
    expect(classify(broken, { ...change, readOnly: true }).error.failure).toBe('unavailable')
  })

  it('calls a read that was cut short late, and a change of unknown outcome', () => {
    const cut = fetchFailed(new DOMException('timed out', 'TimeoutError'))
    expect(classify(cut, { ...change, aborted: true }).error.failure).toBe('outcome-unknown')
    expect(classify(cut, { ...change, aborted: true, readOnly: true }).error.failure).toBe('timeout')
  })

  it.each([
    ['Server error (HTTP status 429): slow down', 'unavailable', true],
    ['Server error (HTTP status 503): no', 'unavailable', true],
    [`Server error (HTTP status 500): {"message":"couldn't connect to compute node"}`, 'unavailable', true],
    ['Server error (HTTP status 500): something', 'outcome-unknown', false],
    ['Server error (HTTP status 502): bad gateway', 'outcome-unknown', false],
    ['Server error (HTTP status 413): request is too large', 'rejected', false],
    ['Server error (HTTP status 507): response is too large', 'outcome-unknown', false],
  ])('of the proxy: %s', (message, failure, unsent) => {
    expect(classify(driver(message), change)).toMatchObject({ unsent, error: { failure } })
  })

  it('does not try a wrong password twice', () => {
    const { error, unsent } = classify(driver("password authentication failed for user 'app'"), change)
    expect({ unsent, failure: error.failure, again: worthAnother(error) }).toEqual({
      unsent: true,
      failure: 'unavailable',
      again: false,
    })
  })

  it('makes something of anything that can be thrown', () => {
    for (const thrown of [undefined, null, 'text', 7, {}, { type: 'error' }, Object.create(null)]) {
      expect(classify(thrown, change).error).toBeInstanceOf(PostgresError)
    }
  })
})

it('is told apart by kind and constraint', () => {
  const error = new PostgresError('unique-violation', { constraint: 'users_email_key' })
  expect(isPostgresError(error)).toBe(true)
  expect(isPostgresError(error, 'unique-violation', 'users_email_key')).toBe(true)
  expect(isPostgresError(error, 'unique-violation', 'other')).toBe(false)
  expect(isPostgresError(error, 'timeout')).toBe(false)
  expect(isPostgresError(new Error('no'))).toBe(false)
  expect(isPostgresError(undefined)).toBe(false)
})

/** All text an error tracker could find. */
function everythingIn(error: unknown): string {
  const seen = new Set<unknown>()
  const look = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value)
    if (seen.has(value)) return ''
    seen.add(value)
    const keys = [...Object.getOwnPropertyNames(value), 'message', 'stack', 'cause']
    return keys.map((key) => look((value as Record<string, unknown>)[key])).join(' ')
  }
  return look(error)
}
