import { createDatabase } from 'breakwater/db'
import { expect, it } from 'vitest'
import { addressOf } from '../../../src/db/endpoint.ts'

const url = 'postgresql://app:s3cret@ep-cool-1-pooler.eu.aws.neon.tech/shop?sslmode=require'

it.each([
  ['nothing', ''],
  ['no URL', 'secret'],
  ['another scheme', 'https://app:s3cret@host/shop'],
  ['no host', 'postgresql:///shop'],
  ['no user', 'postgresql://:s3cret@host/shop'],
  ['no password', 'postgresql://app@host/shop'],
  ['no database', 'postgresql://app:s3cret@host'],
])('refuses a URL with %s when it is built, without repeating it', (_, wrong) => {
  expect(() => createDatabase({ url: wrong })).toThrow(TypeError)
  try {
    createDatabase({ url: wrong })
  } catch (error) {
    expect((error as Error).message).not.toContain('s3cret')
  }
})

it.each([
  { endpoint: 'nonsense' },
  { endpoint: 'ftp://127.0.0.1' },
  { timeout: 'soon' as never },
  { timeout: 0 },
  { lockTimeout: -1 },
])('refuses %j when it is built', (wrong) => {
  expect(() => createDatabase({ url, ...wrong })).toThrow(TypeError)
})

it('leaves the URL alone in production, and treats an empty endpoint as none', () => {
  expect(addressOf(url, undefined)).toEqual({ url, local: undefined })
  expect(addressOf(url, '')).toEqual({ url, local: undefined })
})

it('goes to the stand-in as the same user, for the same database', () => {
  const { url: changed, local } = addressOf(url, 'http://127.0.0.1:8702/')
  expect(changed).toBe('postgresql://app:s3cret@127.0.0.1:8702/shop?sslmode=require')
  expect(local).toEqual({ proxy: '127.0.0.1:8702/v2', secure: false })
  expect(addressOf(url, 'https://neon.test').local).toEqual({ proxy: 'neon.test/v2', secure: true })
})

it('reads an address that is only there inside a request with the first statement, and once', async () => {
  let asked = 0
  const client = class {
    on(): void {}
    connect = async (): Promise<void> => {}
    end = async (): Promise<void> => {}
    query = async (): Promise<unknown> => ({ rows: [], fields: [], rowCount: 0, command: 'SELECT' })
  }
  const later = (): string => {
    asked++
    return 'postgresql://app:s3cret@pool.local/shop'
  }
  const db = createDatabase({ url: later, client })
  expect(asked).toBe(0)
  await db.execute('select 1')
  await db.execute('select 2')
  expect(asked).toBe(1)
  const wrong = createDatabase({ url: () => 'nonsense', client })
  await expect(wrong.execute('select 1')).rejects.toThrow(TypeError)
})
