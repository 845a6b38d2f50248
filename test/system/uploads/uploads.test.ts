import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { png, reprDigest, sha256 } from './files.ts'
import { stage } from './stage.ts'

const MB = 1_000_000
const on = stage()
const { call, rows, usage } = on

type Body = NonNullable<RequestInit['body']>

const post = (query: string, body: Body, headers: Record<string, string> = {}, base = '/batched') =>
  call('POST', `${base}?${query}`, {
    body,
    headers,
    ...(body instanceof ReadableStream && { duplex: 'half' as const }),
  })

interface View {
  readonly id: string
  readonly state: string
  readonly [key: string]: unknown
}

async function created(response: Response): Promise<View> {
  expect(response.status, await response.clone().text()).toBe(201)
  return (await response.json()) as View
}

/** Uploads and publishes. */
async function publish(kind: string, bytes: Uint8Array<ArrayBuffer>, name = 'a.png'): Promise<string> {
  const { id } = await created(await post(`kind=${kind}&name=${encodeURIComponent(name)}`, bytes))
  expect(await on.json('POST', `/process/${id}`)).toEqual({ state: 'published' })
  return id
}

/** After something went wrong: no bytes, no room taken, a row that says why where one was made. */
async function nothingLeft(reason?: string): Promise<void> {
  await vi.waitFor(
    async () => {
      expect(await rows()).toMatchObject(reason === undefined ? [] : [{ state: 'rejected', reason }])
      expect(await usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
      expect(await on.keys()).toEqual([])
    },
    { timeout: 5000, interval: 100 },
  )
}

describe('an upload', () => {
  it('is quarantined with a job in the same commit, then published, then readable', async () => {
    const bytes = png(300_000)
    const response = await post('kind=document&name=holiday.png', bytes, {
      'content-type': 'image/png',
      'repr-digest': reprDigest(bytes),
    })
    const view = await created(response)
    expect(view).toMatchObject({
      kind: 'document',
      state: 'quarantined',
      name: 'holiday.png',
      type: 'image/png',
      size: 300_000,
      sha256: sha256(bytes),
    })
    expect(response.headers.get('location')).toBe(`/batched/${view.id}`)
    const job = await on.database.pool.query('select type, input from test_jobs where key = $1', [
      `upload.process:${view.id}`,
    ])
    expect(job.rows).toEqual([{ type: 'upload.process', input: { id: view.id } }])

    const early = await call('GET', `/uploads/${view.id}`)
    expect(early.status).toBe(409)
    expect(early.headers.get('cache-control') ?? '').not.toContain('public')

    expect(await on.json('POST', `/process/${view.id}`)).toEqual({ state: 'published' })
    // A second delivery of the job changes nothing.
    expect(await on.json('POST', `/process/${view.id}`)).toEqual({ state: 'published' })
    const status = (await (await call('GET', `/uploads/${view.id}/status`)).json()) as View
    expect(status).toMatchObject({ state: 'published', width: 640, height: 480 })

    const got = await call('GET', `/uploads/${view.id}`)
    expect(got.status).toBe(200)
    expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
    expect(await usage()).toEqual({ reserved: 0, stored: 300_000, files: 1 })
  })

  it.each([250_000, 6 * MB])('may come as a form, of %i bytes', async (size) => {
    const bytes = png(size)
    const form = new FormData()
    form.set('note', 'hello')
    form.set('file', new File([bytes], '../søren.png', { type: 'image/png' }))
    const view = await created(await post('kind=document', form))
    expect(view).toMatchObject({ name: 'søren.png', size, sha256: sha256(bytes) })
    expect(await usage()).toEqual({ reserved: 0, stored: size, files: 1 })
  })

  it('may come as a stream of unknown length, in several parts', async () => {
    const bytes = png(12 * MB)
    let at = 0
    const stream = new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) return controller.close()
        controller.enqueue(bytes.subarray(at, at + 65_537))
        at += 65_537
      },
    })
    const view = await created(await post('kind=document', stream))
    expect(view).toMatchObject({ size: 12 * MB, sha256: sha256(bytes) })
    await call('POST', `/process/${view.id}`)
    const got = await call('GET', `/uploads/${view.id}`)
    expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes))
  })

  it.each([
    ['one commit, when it is small', '/batched', 1000, { http: 1, webSockets: 0 }],
    [
      'one statement before its bytes and one commit after, when it is large',
      '/batched',
      2 * MB,
      { http: 2, webSockets: 0 },
    ],
    [
      'a statement and a transaction, where jobs cannot be made in a batch',
      '/uploads',
      1000,
      { http: 1, webSockets: 1 },
    ],
  ])('costs %s', async (_, base, size, cost) => {
    const before = on.trips()
    await created(await post('kind=document', png(size), {}, base))
    const after = on.trips()
    expect({ http: after.http - before.http, webSockets: after.webSockets - before.webSockets }).toEqual(cost)
  })
})

describe('what is wrong is refused and leaves nothing', () => {
  // A small one is judged before there is a row; a large one has its room reserved by then.
  it.each([
    ['small', 50_000, undefined],
    ['large', 2 * MB, 'bad-request'],
  ])('a digest that does not match, %s', async (_, size, reason) => {
    const response = await post('kind=document', png(size), { 'repr-digest': reprDigest(png(size + 1)) })
    expect(response.status).toBe(400)
    await nothingLeft(reason)
  })

  it.each([
    ['small', 100, undefined],
    ['large', 2 * MB, 'unsupported-media-type'],
  ])('a file of another type than allowed, or than declared, %s', async (_, size, reason) => {
    const page = '<!doctype html><script>alert(1)</script>'.padEnd(size)
    expect((await post('kind=photo', page, { 'content-type': 'image/png' })).status).toBe(415)
    await nothingLeft(reason)
    on.user = randomUUID()
    expect((await post('kind=document', png(size), { 'content-type': 'application/pdf' })).status).toBe(415)
    await nothingLeft(reason)
  })

  it('a file that is too large, however it comes; not one of exactly the limit', async () => {
    expect((await post('kind=avatar', png(100_001))).status).toBe(413)
    const stream = new Blob([png(100_001)]).stream()
    expect((await post('kind=avatar', stream)).status).toBe(413)
    const form = new FormData()
    form.set('file', new File([png(100_001)], 'a.png', { type: 'image/png' }))
    expect((await post('kind=avatar', form)).status).toBe(413)
    await nothingLeft()
    const long = new Blob([png(20 * MB + 1)]).stream()
    expect((await post('kind=document', long)).status).toBe(413)
    await nothingLeft('payload-too-large')
    on.user = randomUUID()
    await created(await post('kind=avatar', png(100_000)))
    await created(await post('kind=document', png(20 * MB)))
  })

  it.each([
    ['small', 1000, 'put'],
    ['large', 2 * MB, 'put'],
    ['of unknown length, at its third part', 12 * MB, 'part:3'],
    ['of unknown length, at its end', 12 * MB, 'complete'],
  ])('what the bucket does not take, %s', async (_, size, fault) => {
    const body = fault === 'put' ? png(size) : new Blob([png(size)]).stream()
    const response = await post('kind=document', body, { 'x-bucket': fault })
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    await nothingLeft('dependency-unavailable')
    // Its job may run all the same, and finds nothing to do.
    const [row] = await rows()
    expect(await on.json('POST', `/process/${row?.id}`)).toEqual({ state: 'rejected' })
  })

  it('a part that the bucket does not take at first is sent again', async () => {
    const bytes = png(12 * MB)
    const body = new Blob([bytes]).stream()
    const view = await created(await post('kind=document', body, { 'x-bucket': 'part:3:once' }))
    expect(view).toMatchObject({ size: 12 * MB, sha256: sha256(bytes) })
  })

  it('a small one whose worker died between the row and the object', async () => {
    const { id } = await created(await post('kind=document', png(1000)))
    const { key } = await on.row(id)
    await call('DELETE', `/keys/${key}`)
    expect((await call('GET', `/uploads/${id}`)).status).toBe(409)
    expect(await on.json('POST', `/process/${id}`)).toEqual({ state: 'rejected' })
    await nothingLeft('object-missing')
  })

  it('an empty one, a kind that is none, a body that is encoded', async () => {
    expect((await post('kind=avatar', '')).status).toBe(400)
    expect((await post('kind=poem', png(100))).status).toBe(422)
    expect((await post('kind=avatar', png(100), { 'content-encoding': 'gzip' })).status).toBe(415)
    expect(await rows()).toEqual([])
  })

  it('a picture that decodes to too many pixels, or is none', async () => {
    const bomb = await created(await post('kind=avatar', png(1000, 50_000, 50_000)))
    expect(await on.json('POST', `/process/${bomb.id}`)).toEqual({ state: 'rejected' })
    await nothingLeft('picture-too-large')
    on.user = randomUUID()
    const broken = await created(await post('kind=avatar', png(1000, 0, 0)))
    expect(await on.json('POST', `/process/${broken.id}`)).toEqual({ state: 'rejected' })
    await nothingLeft('picture-broken')
  })

  it('what the scanner refuses', async () => {
    const bad = await created(await post('kind=document&name=x.txt', 'EICAR', {}, '/direct'))
    expect(bad).toMatchObject({ state: 'rejected', reason: 'malware' })
    expect((await call('GET', `/direct/${bad.id}`)).status).toBe(404)
    await nothingLeft('malware')
    on.user = randomUUID()
    const good = await created(await post('kind=document&name=x.txt', 'harmless', {}, '/direct'))
    expect(good).toMatchObject({ state: 'published', type: 'text/plain' })
  })
})

/** Talks HTTP by hand, to stop in the middle. */
function half(
  headers: readonly string[],
  body: Uint8Array,
): Promise<{ reply: Promise<string>; cut: () => void }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(on.url)
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /batched?kind=document HTTP/1.1\r\nHost: ${hostname}\r\nX-User: ${on.user}\r\n${headers.join('\r\n')}\r\n\r\n`,
      )
      socket.write(body)
      const reply = new Promise<string>((done) => {
        let text = ''
        socket.on('data', (data) => {
          text += data.toString()
          done(text)
        })
        socket.on('close', () => done(text))
      })
      resolve({ reply, cut: () => socket.destroy() })
    })
    socket.on('error', reject)
  })
}

describe('a client', () => {
  it.each([
    ['small', 500_000, undefined],
    ['large', 5_000_000, 'deadline-exceeded'],
  ])('that stalls is told so, and nothing is left, %s', async (_, length, reason) => {
    const { reply, cut } = await half([`Content-Length: ${length}`], png(100_000))
    expect(await reply).toMatch(/^HTTP\/1\.1 408/)
    cut()
    await nothingLeft(reason)
  })

  it('that goes away in the middle leaves nothing', async () => {
    const { cut } = await half(['Content-Length: 5000000'], png(100_000))
    await vi.waitFor(async () => expect(await rows()).toMatchObject([{ state: 'receiving' }]), {
      timeout: 5000,
    })
    expect(await usage()).toEqual({ reserved: 5_000_000, stored: 0, files: 1 })
    cut()
    await vi.waitFor(
      async () => {
        expect(await rows()).toMatchObject([{ state: 'rejected' }])
        expect(await usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
        expect(await on.keys()).toEqual([])
      },
      { timeout: 5000, interval: 100 },
    )
  })
})

describe('the quota', () => {
  it.each(['/uploads', '/batched'])('holds when fifty uploads come at once: %s', async (base) => {
    const bytes = png(20_000)
    const upload = () => post('kind=document', bytes, { 'x-quota': '400000' }, base)
    const responses = await Promise.all(Array.from({ length: 50 }, upload))
    const statuses = responses.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(20)
    expect(statuses.filter((status) => status === 403)).toHaveLength(30)
    const refused = responses.find(({ status }) => status === 403)
    expect(await refused?.text()).toContain('no room')
    expect(await usage()).toEqual({ reserved: 0, stored: 400_000, files: 20 })
    expect(await rows()).toHaveLength(20)
  })

  it('leaves no job behind of what had no room', async () => {
    const upload = () => post('kind=document', png(20_000), { 'x-quota': '30000' }, '/batched')
    const statuses = (await Promise.all([upload(), upload(), upload()])).map(({ status }) => status)
    expect(statuses.sort()).toEqual([201, 403, 403])
    const mine = await rows()
    const { rows: jobs } = await on.database.pool.query(
      "select input->>'id' as id from test_jobs where input->>'id' >= $1",
      [mine[0]?.id],
    )
    expect(jobs).toEqual([{ id: mine[0]?.id }])
    // Nor of what a stranger would like to be rid of.
    expect((await call('DELETE', `/batched/${mine[0]?.id}`, { as: randomUUID() })).status).toBe(404)
    expect((await call('DELETE', `/batched/${mine[0]?.id}`)).status).toBe(204)
    expect((await call('DELETE', `/batched/${mine[0]?.id}`)).status).toBe(404)
    const { rows: ends } = await on.database.pool.query('select key from test_jobs where key like $1', [
      `%${mine[0]?.id}:deleted`,
    ])
    expect(ends).toHaveLength(1)
  })

  it('gets its room back from a deletion, once', async () => {
    const id = await publish('document', png(1 * MB))
    const both = await Promise.all([call('DELETE', `/uploads/${id}`), call('DELETE', `/uploads/${id}`)])
    expect(both.map(({ status }) => status).sort()).toEqual([204, 404])
    expect(await usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
    expect(await on.keys()).toEqual([])
    expect((await call('GET', `/uploads/${id}`)).status).toBe(404)
  })
})

describe('whose an upload is', () => {
  it('decides who can read, see and delete it', async () => {
    const id = await publish('document', png(1000))
    const stranger = randomUUID()
    for (const [method, path] of [
      ['GET', `/uploads/${id}`],
      ['GET', `/uploads/${id}/status`],
      ['DELETE', `/uploads/${id}`],
    ] as const) {
      expect((await call(method, path, { as: stranger })).status).toBe(404)
      expect((await call(method, path, { as: null })).status).toBe(401)
    }
    expect((await call('GET', `/uploads/${id}`)).status).toBe(200)
    expect((await call('GET', `/uploads/${randomUUID()}`)).status).toBe(404)
    expect((await call('GET', '/uploads/nonsense')).status).toBe(404)
    expect((await call('POST', '/uploads?kind=document', { as: null, body: png(10) })).status).toBe(401)
  })

  it('does not matter for reading what is public, and does for the rest', async () => {
    const id = await publish('avatar', png(1000))
    expect((await call('GET', `/uploads/${id}`, { as: null })).status).toBe(200)
    expect((await call('GET', `/uploads/${id}/status`, { as: randomUUID() })).status).toBe(404)
    expect((await call('DELETE', `/uploads/${id}`, { as: randomUUID() })).status).toBe(404)
  })
})

describe('serving', () => {
  it('says what is needed so that a stranger’s file does no harm', async () => {
    const id = await publish('document', png(1000), 'søren.png')
    const { headers } = await call('GET', `/uploads/${id}`)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'image/png',
      'content-length': '1000',
      'content-disposition': 'inline; filename="s_ren.png"; filename*=UTF-8\'\'s%C3%B8ren.png',
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringMatching(/sandbox$/),
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'private, no-cache',
      'repr-digest': reprDigest(png(1000)),
      etag: `"${sha256(png(1000))}"`,
    })
  })

  it.each([
    ['page.html', '<!doctype html><script>alert(1)</script>', 'text/html; charset=utf-8'],
    ['picture.svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'image/svg+xml'],
  ])('never shows %s inline', async (name, text, type) => {
    const view = await created(await post(`kind=document&name=${name}`, Buffer.from(text), {}, '/direct'))
    const { headers } = await call('GET', `/direct/${view.id}`)
    expect(headers.get('content-type')).toBe(type)
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${name}"`)
  })

  it('answers HEAD, ranges and conditions', async () => {
    const bytes = png(10_000)
    const path = `/uploads/${await publish('document', bytes)}`
    const head = await call('HEAD', path)
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '10000'])
    const etag = head.headers.get('etag') ?? ''

    const part = await call('GET', path, { headers: { range: 'bytes=100-199' } })
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 100-199/10000'])
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 200))).toBe(true)
    const tail = await call('GET', path, { headers: { range: 'bytes=-5', 'if-range': etag } })
    expect(Buffer.from(await tail.arrayBuffer()).equals(bytes.subarray(-5))).toBe(true)
    const beyond = await call('GET', path, { headers: { range: 'bytes=10000-' } })
    expect(beyond.status).toBe(416)

    const same = await call('GET', path, { headers: { 'if-none-match': etag } })
    expect([same.status, await same.text()]).toEqual([304, ''])
    expect((await call('GET', path, { headers: { 'if-match': '"other"' } })).status).toBe(412)
  })
})

describe('the sweep', () => {
  it('frees what a dead isolate had reserved', async () => {
    const { id } = await created(await post('kind=document', png(5000)))
    // As if the isolate had died while the bytes came.
    await on.database.pool.query("update breakwater.uploads set state = 'receiving' where id = $1", [id])
    await on.database.pool.query(
      'update breakwater.upload_usage set reserved_bytes = 5000, stored_bytes = 0 where owner_id = $1',
      [on.user],
    )
    expect(await on.json('POST', '/sweep')).toMatchObject({ released: 0 })
    await on.age(id)
    expect(await on.json('POST', '/sweep')).toMatchObject({ released: 1 })
    expect(await usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
    await on.age(id)
    expect(await on.json('POST', '/sweep')).toMatchObject({ purged: 1, failed: 0 })
    expect(await on.keys()).toEqual([])
  })

  it('processes what a lost job had left in quarantine', async () => {
    const { id } = await created(await post('kind=document', png(5000)))
    await on.age(id)
    expect(await on.json('POST', '/sweep')).toMatchObject({ processed: 1 })
    expect(await rows()).toMatchObject([{ state: 'published' }])
  })
})

it('rejects an upload whose object is gone, or is not the one that was measured', async () => {
  const lost = await created(await post('kind=document', png(5000)))
  const changed = await created(await post('kind=document', png(5000)))
  const keys = new Map((await rows()).map(({ id, key }) => [id, key]))
  await call('PUT', `/keys/${keys.get(changed.id)}`, { body: png(4000) })
  expect(await on.json('POST', `/process/${changed.id}`)).toEqual({ state: 'rejected' })
  await call('DELETE', `/keys/${keys.get(lost.id)}`)
  expect(await on.json('POST', `/process/${lost.id}`)).toEqual({ state: 'rejected' })
  expect((await rows()).map(({ reason }) => reason)).toEqual(['object-missing', 'size-changed'])
  expect(await usage()).toEqual({ reserved: 0, stored: 0, files: 0 })
  await call('DELETE', `/uploads/${lost.id}`)
  expect(await on.json('POST', `/process/${lost.id}`)).toEqual({ state: 'deleted' })
})

it('keeps an upload in quarantine while the scanner fails, for the job to try again', async () => {
  const response = await post('kind=document', 'scanner down', {}, '/direct')
  expect(response.status).toBe(500)
  expect(await rows()).toMatchObject([{ state: 'quarantined' }])
  const [row] = await rows()
  expect((await call('POST', `/process-direct/${row?.id}`)).status).toBe(500)
  expect((await call('GET', `/direct/${row?.id}`)).status).toBe(409)
})

it.each(['/uploads', '/batched'])('is not stored when its job cannot be: %s', async (base) => {
  await on.database.pool.query(
    "alter table test_jobs add constraint full_queue check (type <> 'upload.process') not valid",
  )
  try {
    if (base === '/batched') {
      expect((await post('kind=document', png(1000), {}, base)).status).toBe(500)
      await nothingLeft()
    }
    expect((await post('kind=document', png(2 * MB), {}, base)).status).toBe(500)
    expect(await rows()).toMatchObject([{ state: 'receiving' }])
  } finally {
    await on.database.pool.query('alter table test_jobs drop constraint full_queue')
  }
})

it('finds every upload by an index', async () => {
  const plan = async (query: string): Promise<string> => {
    const client = await on.database.pool.connect()
    try {
      await client.query('begin; set local enable_seqscan = off')
      const result = await client.query(`explain ${query}`)
      return result.rows.map((row: Record<string, string>) => row['QUERY PLAN']).join('\n')
    } finally {
      await client.query('rollback')
      client.release()
    }
  }
  const someone = `'${randomUUID()}'`
  expect(
    await plan(`select * from breakwater.uploads where owner_id = ${someone} order by id desc limit 20`),
  ).toContain('uploads_owner_idx')
  expect(
    await plan(
      "select * from breakwater.uploads where state in ('reserved', 'receiving') and updated_at < now() order by updated_at limit 100",
    ),
  ).toContain('uploads_unfinished_idx')
  expect(
    await plan(
      "select * from breakwater.uploads where (state = 'rejected' or state = 'deleted') and purged_at is null and updated_at < now() order by updated_at limit 50",
    ),
  ).toContain('uploads_unpurged_idx')
})
