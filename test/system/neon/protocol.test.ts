import { setTimeout as sleep } from 'node:timers/promises'
import { Client, neonConfig } from '@neondatabase/serverless'
import pg from 'pg'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createNeonApp } from '../../../src/local/neon/index.ts'
import { type StandIn, serveStandIn } from '../../../src/local/server.ts'
import { type ScratchDatabase, scratchDatabase } from '../support/postgres.ts'

let scratch: ScratchDatabase
let small: StandIn

beforeAll(async () => {
  scratch = await scratchDatabase({ migrations: false })
  small = await serveStandIn(
    createNeonApp({ connect: scratch.url, connections: 2, maxRequest: 10_000, maxResponse: 10_000 }),
  )
  neonConfig.wsProxy = () => `${scratch.endpoint.replace('http://', '')}/v2`
  neonConfig.useSecureWebSocket = false
  return () => small.stop()
})

interface Ask {
  readonly headers?: Record<string, string>
  readonly endpoint?: string
  readonly signal?: AbortSignal
}

async function ask(body: unknown, { headers = {}, endpoint = scratch.endpoint, signal }: Ask = {}) {
  const response = await fetch(`${endpoint}/sql`, {
    method: 'POST',
    headers: { 'Neon-Connection-String': scratch.url, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: JSON.parse(text), text }
}

function changed(change: (url: URL) => void): string {
  const url = new URL(scratch.url)
  change(url)
  return url.href
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let n = 0; !(await check()); n++) {
    if (n > 250) throw new Error('waited five seconds for nothing')
    await sleep(20)
  }
}

const running = async (marker: string): Promise<number> =>
  (
    await scratch.pool.query(
      "select count(*)::int as n from pg_stat_activity where query like $1 and state <> 'idle' and pid <> pg_backend_pid()",
      [`%${marker}%`],
    )
  ).rows[0].n

describe('POST /sql', () => {
  it('answers browsers that ask first', async () => {
    const response = await fetch(`${scratch.endpoint}/sql`, { method: 'OPTIONS' })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-headers')).toContain('Neon-Connection-String')
    expect(response.headers.get('access-control-max-age')).toBe('86400')
  })

  it('gives JSON values and rows as objects when nothing else is asked for', async () => {
    const { body, headers } = await ask({
      query:
        "select 1 as n, true as yes, 0.5::float8 as half, 'NaN'::float8 as nan, 9::bigint as big, 1.10 as exact, null as nothing, '{\"a\": 12345678901234567890}'::jsonb as doc, array['a b', null, 'c'] as list, array[[1,2],[3,4]] as deep, array[true] as bools, 'x'::bytea as bytes",
    })
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(body.rowAsArray).toBe(false)
    expect(body.rows[0]).toMatchObject({
      n: 1,
      yes: true,
      half: 0.5,
      nan: 'NaN',
      big: '9',
      exact: '1.10',
      nothing: null,
      list: ['a b', null, 'c'],
      deep: [
        [1, 2],
        [3, 4],
      ],
      bools: [true],
      bytes: '\\x78',
    })
  })

  it('does not round numbers inside JSON', async () => {
    const { text } = await ask({ query: 'select \'{"a": 12345678901234567890.10}\'::jsonb as doc' })
    expect(text).toContain('12345678901234567890.10')
  })

  it('gives raw text and arrays when they are asked for, and lets a statement choose for itself', async () => {
    const headers = { 'Neon-Raw-Text-Output': 'true', 'Neon-Array-Mode': 'true' }
    const { body } = await ask({ query: 'select true as yes, array[1,2] as list' }, { headers })
    expect(body).toMatchObject({ rowAsArray: true, rows: [['t', '{1,2}']], command: 'SELECT', rowCount: 1 })
    const chosen = await ask({ query: 'select 1 as n', arrayMode: false }, { headers })
    expect(chosen.body).toMatchObject({ rowAsArray: false, rows: [{ n: '1' }] })
  })

  it('takes JSON values as parameters, arrays and objects included', async () => {
    const { body } = await ask({
      query: 'select $1::int as a, $2::bool as b, $3::text[] as c, $4::jsonb as d, $5::text as e',
      params: [7, true, ['x', null, 'y "z"', 'NULL'], { k: [1] }, null],
    })
    expect(body.rows).toEqual([{ a: 7, b: true, c: ['x', null, 'y "z"', 'NULL'], d: { k: [1] }, e: null }])
  })

  it('has every field of an error, null where Postgres says nothing', async () => {
    const { status, body } = await ask({ query: 'select 1 / 0' })
    expect(status).toBe(400)
    expect(Object.keys(body).sort()).toEqual(
      [
        ...['message', 'code', 'detail', 'hint', 'position', 'internalPosition', 'internalQuery', 'severity'],
        ...['where', 'table', 'column', 'schema', 'dataType', 'constraint', 'file', 'line', 'routine'],
      ].sort(),
    )
    expect(body).toMatchObject({ message: 'division by zero', code: '22012', severity: 'ERROR', hint: null })
  })

  it.each([
    ['not JSON', '{"query": ', /could not parse the HTTP request body/],
    ['no query', '{"params": []}', /could not parse the HTTP request body/],
    ['an array', '[]', /could not parse the HTTP request body/],
    ['null', 'null', /could not parse the HTTP request body/],
    ['nothing', '', /could not parse the HTTP request body/],
    ['parameters that are no list', '{"query": "select 1", "params": {}}', /could not parse/],
    ['a batch of something else', '{"queries": [1]}', /could not parse/],
    ['a zero byte in the statement', JSON.stringify({ query: 'select 1\0; select 2' }), /embedded null/],
  ])('refuses a body that is %s, and goes on', async (_, sent, said) => {
    const { status, body } = await ask(sent)
    expect(status).toBe(400)
    expect(body.message).toMatch(said)
    expect(body.code).toBeNull()
    expect((await ask({ query: 'select 1 as n' })).body.rows).toEqual([{ n: 1 }])
  })

  it('hands a zero byte in a parameter to Postgres, which refuses it, and goes on', async () => {
    expect((await ask({ query: 'select $1::text', params: ['a\0b'] })).body).toMatchObject({ code: '22021' })
    expect((await ask({ query: 'select 1 as n' })).body.rows).toEqual([{ n: 1 }])
  })

  it.each([
    ['no connection string', undefined, 'invalid header: neon-connection-string'],
    ['another scheme', 'mysql://u:p@h/d', 'incorrect scheme'],
    ['no user', 'postgresql://h/d', 'missing username'],
    ['no password', 'postgresql://u@h/d', 'missing authentication credentials: required password'],
    ['no database', 'postgresql://u:p@h/', 'missing database name'],
    ['no URL at all', 'nonsense', 'invalid connection string: relative URL without a base'],
  ])('refuses a request with %s', async (_, header, message) => {
    const response = await fetch(`${scratch.endpoint}/sql`, {
      method: 'POST',
      headers: header === undefined ? {} : { 'Neon-Connection-String': header },
      body: '{"query": "select 1"}',
    })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ message, code: null })
  })

  it('checks user, password and database, and takes any host', async () => {
    const as = (url: string) =>
      ask({ query: 'select 1 as n' }, { headers: { 'Neon-Connection-String': url } })
    const right = changed((url) => {
      url.host = 'ep-cool-darkness-123456-pooler.eu-central-1.aws.neon.tech'
      url.search = '?sslmode=require&channel_binding=require'
    })
    expect((await as(right)).body.rows).toEqual([{ n: 1 }])
    const wrong = await as(changed((url) => (url.password = 'wrong')))
    expect(wrong.status).toBe(400)
    expect(wrong.body).toMatchObject({
      message: "password authentication failed for user 'breakwater'",
      code: null,
    })
    const nobody = await as(changed((url) => (url.username = 'nobody')))
    expect(nobody.body).toMatchObject({
      message: "password authentication failed for user 'nobody'",
      code: null,
    })
    const nowhere = await as(changed((url) => (url.pathname = '/nowhere')))
    expect(nowhere.status).toBe(500)
    expect(nowhere.body).toMatchObject({ code: '3D000' })
    // The right password is not taken from an earlier, successful request.
    expect((await as(changed((url) => (url.password = 'wrong')))).status).toBe(400)
  })

  it('refuses what is too large, either way, and goes on', async () => {
    const endpoint = small.url
    const large = await ask({ query: 'select $1::text', params: ['x'.repeat(20_000)] }, { endpoint })
    expect(large.status).toBe(413)
    expect(large.body.message).toBe('request is too large (max is 10000 bytes)')
    const rows = await ask(
      { query: 'select repeat($1, 100) from generate_series(1, 1000000)', params: ['y'] },
      { endpoint },
    )
    expect(rows.status).toBe(507)
    expect(rows.body.message).toBe('response is too large (max is 10000 bytes)')
    expect((await ask({ query: 'select 1 as n' }, { endpoint })).body.rows).toEqual([{ n: 1 }])
  })

  it('forgets whatever a request leaves in its session', async () => {
    for (const query of [
      "set application_name = 'left behind'",
      "select set_config('search_path', 'nowhere', false)",
      'create temporary table left_behind (id int)',
      'prepare left_behind as select 1',
      'select pg_advisory_lock(1)',
      'listen left_behind',
      'begin',
      'set role pg_monitor',
    ]) {
      expect((await ask({ query }, { endpoint: small.url })).status).toBe(200)
    }
    for (let n = 0; n < 4; n++) {
      const { body } = await ask(
        {
          query: `select current_setting('application_name') as name, current_setting('search_path') as path, current_user as who,
            to_regclass('left_behind') as temporary, (select count(*)::int from pg_prepared_statements) as prepared,
            (select count(*)::int from pg_locks where locktype = 'advisory') as locks,
            1 as one`,
        },
        { endpoint: small.url },
      )
      expect(body.rows[0]).toMatchObject({
        name: '',
        path: '"$user", public',
        who: 'breakwater',
        temporary: null,
        prepared: 0,
        locks: 0,
      })
      const { body: outside } = await ask({ query: 'savepoint left_behind' }, { endpoint: small.url })
      expect(outside).toMatchObject({ code: '25P01' })
    }
  })

  it('lets requests wait for one of its connections, and serves all of them', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        ask({ query: 'select $1::int as n, pg_sleep(0.01)', params: [n] }, { endpoint: small.url }),
      ),
    )
    expect(answers.map(({ body }) => body.rows[0].n)).toEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  it('makes room for another user when all connections idle', async () => {
    await scratch.pool.query("create role other login password 'other'")
    try {
      await Promise.all([1, 2].map(() => ask({ query: 'select pg_sleep(0.02)' }, { endpoint: small.url })))
      const other = changed((url) => {
        url.username = 'other'
        url.password = 'other'
      })
      const { body } = await ask(
        { query: 'select current_user as who' },
        { endpoint: small.url, headers: { 'Neon-Connection-String': other } },
      )
      expect(body.rows).toEqual([{ who: 'other' }])
    } finally {
      await scratch.pool.query('drop role other')
    }
  })

  it('cancels the query of a client that goes away', async () => {
    const controller = new AbortController()
    const asked = ask({ query: "select pg_sleep(60), 'gone away'" }, { signal: controller.signal })
    asked.catch(() => {})
    await eventually(async () => (await running('gone away')) === 1)
    controller.abort()
    await expect(asked).rejects.toThrow()
    await eventually(async () => (await running('gone away')) === 0)
  })

  it('says so when Postgres is not there, and recovers when it ends its connections', async () => {
    const nowhere = await serveStandIn(createNeonApp({ connect: 'postgresql://u:p@127.0.0.1:1/d' }))
    try {
      const { status, body } = await ask({ query: 'select 1' }, { endpoint: nowhere.url })
      expect(status).toBe(500)
      expect(body).toMatchObject({ message: "couldn't connect to compute node", code: null })
    } finally {
      await nowhere.stop()
    }
    await ask({ query: 'select 1' })
    await scratch.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database() and usename = 'breakwater'",
    )
    await sleep(100)
    expect((await ask({ query: 'select 1 as n' })).body.rows).toEqual([{ n: 1 }])
  })
})

describe('a batch', () => {
  it('is one transaction: all or nothing', async () => {
    await scratch.pool.query('create table if not exists batched (id int primary key)')
    const one = { query: 'insert into batched values ($1) returning id', params: ['1'] }
    const failed = await ask({ queries: [one, { query: 'select txid_current()' }, one] })
    expect(failed.status).toBe(400)
    expect(failed.body).toMatchObject({ code: '23505', constraint: 'batched_pkey' })
    expect((await scratch.pool.query('select * from batched')).rows).toEqual([])
    const { body } = await ask({ queries: [one, { query: 'select count(*)::int as n from batched' }] })
    expect(body.results.map((result: { rows: unknown }) => result.rows)).toEqual([[{ id: 1 }], [{ n: 1 }]])
  })

  it('reports a constraint that fails only when it commits', async () => {
    await scratch.pool.query(
      'create table deferred (id int primary key, other int references deferred deferrable initially deferred)',
    )
    const { status, body } = await ask({ queries: [{ query: 'insert into deferred values (1, 2)' }] })
    expect(status).toBe(400)
    expect(body).toMatchObject({ code: '23503' })
  })

  it('echoes its settings and keeps to them', async () => {
    const headers = { 'Neon-Batch-Isolation-Level': 'Serializable', 'Neon-Batch-Read-Only': 'true' }
    const answer = await ask({ queries: [{ query: 'select 1 as n' }] }, { headers })
    expect(answer.headers.get('neon-batch-isolation-level')).toBe('Serializable')
    expect(answer.headers.get('neon-batch-read-only')).toBe('true')
    expect(answer.headers.get('neon-batch-deferrable')).toBeNull()
    const refused = await ask({ queries: [{ query: 'create table never (id int)' }] }, { headers })
    expect(refused.body).toMatchObject({ code: '25006' })
    const unknown = await ask({ queries: [] }, { headers: { 'Neon-Batch-Isolation-Level': 'chaos' } })
    expect(unknown).toMatchObject({ status: 400, body: { message: 'invalid isolation level' } })
  })

  it('of nothing answers with nothing', async () => {
    expect((await ask({ queries: [] })).body).toEqual({ results: [] })
  })
})

function message(type: string, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body)
  const head = Buffer.alloc(type.length + 4)
  head.write(type)
  head.writeInt32BE(bytes.length + 4, type.length)
  return Buffer.concat([head, bytes])
}

function startup(parameters: Record<string, string>): Buffer {
  const words = Object.entries(parameters).flatMap(([name, value]) => `${name}\0${value}\0`)
  return message('', Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from(`${words.join('')}\0`)]))
}

const PASSWORD_WANTED = 'R\0\0\0\x08\0\0\0\x03'

interface Line {
  readonly socket: WebSocket
  /** Everything that came so far. */
  received(): string
  readonly closed: Promise<void>
}

async function open(): Promise<Line> {
  const socket = new WebSocket(`${scratch.endpoint.replace('http', 'ws')}/v2`)
  let received = ''
  socket.on('message', (data: Buffer) => {
    received += data.toString('latin1')
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return { socket, received: () => received, closed }
}

describe('the WebSocket', () => {
  let login: { user: string; database: string; password: string }
  beforeEach(() => {
    const url = new URL(scratch.url)
    login = { user: url.username, database: url.pathname.slice(1), password: url.password }
  })

  it('takes everything that is sent ahead of its questions, in one piece or in many', async () => {
    const all = Buffer.concat([
      startup({ user: login.user, database: login.database }),
      message('p', `${login.password}\0`),
      message('Q', "select 'answered' || 1\0"),
      message('Q', "select 'answered' || 2\0"),
    ])
    for (const size of [all.length, 1, 7]) {
      const line = await open()
      for (let at = 0; at < all.length; at += size) line.socket.send(all.subarray(at, at + size))
      await eventually(async () => line.received().includes('answered2'))
      expect(line.received()).toContain('answered1')
      expect(line.received().indexOf('answered1')).toBeLessThan(line.received().indexOf('answered2'))
      line.socket.close()
    }
  })

  it('declines encryption inside the WebSocket and goes on', async () => {
    const line = await open()
    line.socket.send(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]))
    await eventually(async () => line.received() === 'N')
    line.socket.send(startup({ user: login.user, database: login.database }))
    await eventually(async () => line.received() === `N${PASSWORD_WANTED}`)
    line.socket.send(message('p', `${login.password}\0`))
    await eventually(async () => line.received().endsWith('Z\0\0\0\x05I'))
    line.socket.close()
  })

  it('gives a wrong password Postgres’s own answer, and ends', async () => {
    const line = await open()
    line.socket.send(Buffer.concat([startup({ user: login.user }), message('p', 'wrong\0')]))
    await line.closed
    expect(line.received()).toContain('C28P01')
    expect(line.received()).toContain('password authentication failed')
  })

  it.each([
    ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a message of a monstrous length', Buffer.from([127, 255, 255, 255, 0, 3, 0, 0])],
    ['a negative length', Buffer.from([255, 255, 255, 255, 0, 3, 0, 0])],
    ['version 2 of the protocol', message('', Buffer.from([0, 2, 0, 0]))],
    ['a start without a user', message('', Buffer.from([0, 3, 0, 0, 0]))],
    [
      'a query instead of a password',
      Buffer.concat([startup({ user: 'breakwater' }), message('Q', 'select 1\0')]),
    ],
  ])('answers %s with an error and ends', async (_, bytes) => {
    const line = await open()
    line.socket.send(bytes)
    await line.closed
    expect(line.received().replace(PASSWORD_WANTED, '')).toMatch(/^E/)
  })

  it('is not elsewhere', async () => {
    const socket = new WebSocket(`${scratch.endpoint.replace('http', 'ws')}/v3`)
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
    expect(error.message).toContain('404')
  })

  it('carries large answers whole', async () => {
    const client = new Client(scratch.url)
    await client.connect()
    try {
      const { rows } = await client.query("select repeat('x', 5000000) as v")
      expect(rows[0].v).toHaveLength(5_000_000)
      const many = await client.query('select n, md5(n::text) as h from generate_series(1, 50000) n')
      expect(many.rows).toHaveLength(50_000)
    } finally {
      await client.end()
    }
  })

  it('ends the statement of a client that vanishes, and its transaction', async () => {
    const line = await open()
    line.socket.send(
      Buffer.concat([
        startup({ user: login.user, database: login.database }),
        message('p', `${login.password}\0`),
        message('Q', 'begin; select pg_advisory_xact_lock(4711)\0'),
        message('Q', "select pg_sleep(60), 'vanishing'\0"),
      ]),
    )
    await eventually(async () => (await running('vanishing')) === 1)
    line.socket.terminate()
    await eventually(async () => (await running('vanishing')) === 0)
    const locks = "select count(*)::int as n from pg_locks where locktype = 'advisory' and objid = 4711"
    await eventually(async () => (await scratch.pool.query(locks)).rows[0].n === 0)
  })

  it('passes a request to cancel on', async () => {
    const client = new Client(scratch.url)
    client.on('error', () => {})
    await client.connect()
    const sleeping = client
      .query("select pg_sleep(60), 'to be cancelled'")
      .catch((error: { code: string }) => error.code)
    await eventually(async () => (await running('to be cancelled')) === 1)
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
    const body = Buffer.alloc(12)
    body.writeInt32BE(80877102, 0)
    body.writeInt32BE(processID, 4)
    body.writeInt32BE(secretKey, 8)
    const line = await open()
    line.socket.send(message('', body))
    await line.closed
    expect(await sleeping).toBe('57014')
    await client.end()
  })

  it('closes when the server ends the connection', async () => {
    const client = new Client(scratch.url)
    const ended = new Promise<void>((resolve) => client.on('end', () => resolve()))
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query('select pg_backend_pid() as pid')
    await scratch.pool.query('select pg_terminate_backend($1)', [rows[0].pid])
    await ended
  })

  it('stops with connections open', async () => {
    const standIn = await serveStandIn(createNeonApp({ connect: scratch.url }))
    const socket = new WebSocket(`${standIn.url.replace('http', 'ws')}/v2`)
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    await new Promise((resolve) => socket.once('open', resolve))
    await standIn.stop()
    await closed
  })
})

describe('in front of other servers', () => {
  it('gives a role that the server cannot authenticate the server’s own answer', async () => {
    const admin = new pg.Client(scratch.superuserUrl)
    await admin.connect()
    try {
      await admin.query("set password_encryption = 'md5'")
      await admin.query("create role old_style login password 'old'")
      const client = new Client(
        changed((url) => Object.assign(url, { username: 'old_style', password: 'old' })),
      )
      client.on('error', () => {})
      await client.connect()
      // The server insists on SCRAM, for which this role has no secret.
      await expect(client.query('select 1')).rejects.toMatchObject({ code: '28P01' })
    } finally {
      await admin.query('drop role old_style')
      await admin.end()
    }
  })

  it('refuses a URL that is none', () => {
    expect(() => createNeonApp({ connect: 'http://localhost' })).toThrow(TypeError)
    expect(() => createNeonApp({ connect: 'nonsense' })).toThrow(TypeError)
  })
})
