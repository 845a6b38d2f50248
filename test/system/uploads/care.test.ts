import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { png } from './files.ts'
import { stage } from './stage.ts'

const on = stage()
const { call } = on

interface Page {
  readonly uploads: readonly { readonly id: string }[]
  readonly next: string | null
}

async function upload(base = '/direct', size = 1000): Promise<string> {
  const reply = await call('POST', `${base}?kind=document&name=a.png`, { body: png(size) })
  expect(reply.status).toBe(201)
  return ((await reply.json()) as { id: string }).id
}

const reconcile = (options: object) => on.json('POST', '/reconcile', { body: JSON.stringify(options) })

describe('bucket and rows side by side', () => {
  it('finds objects without a row, spares the young, and removes the old', async () => {
    const kept = (await on.row(await upload())).key
    await call('PUT', '/keys/uploads/document/stray', { body: 'x' })
    await call('PUT', '/keys/elsewhere/stray', { body: 'x' })
    expect(await reconcile({ grace: '1 h' })).toMatchObject({ orphans: [] })
    expect(await reconcile({ grace: 0, dryRun: true })).toMatchObject({ orphans: ['uploads/document/stray'] })
    expect(await reconcile({ grace: 0 })).toMatchObject({ orphans: ['uploads/document/stray'], missing: [] })
    const keys = await on.json<string[]>('GET', '/keys')
    expect(keys).toContain(kept)
    expect(keys).toContain('elsewhere/stray')
    expect(keys).not.toContain('uploads/document/stray')
  })

  it('goes on where it stopped the night before, and begins anew after the end', async () => {
    await call('POST', '/fill/uploads/film/1003')
    const night = () =>
      on.json<{ orphans: string[] }>('POST', '/reconcile', {
        body: JSON.stringify({ grace: 0, pages: 1, resume: true }),
      })
    const [first, second] = [await night(), await night()]
    expect([...first.orphans, ...second.orphans].filter((key) => key.includes('/film/'))).toHaveLength(1003)
    expect(second.orphans.length).toBeGreaterThan(0)
    await call('PUT', '/keys/uploads/film/0000', { body: 'x' })
    expect(await night()).toMatchObject({ orphans: ['uploads/film/0000'] })
  })

  it('spares the rest of a resumable upload that is not finished', async () => {
    const reply = await call('POST', '/uploads/tus', {
      headers: {
        'Tus-Resumable': '1.0.0',
        'Upload-Length': '5000',
        'Upload-Metadata': `kind ${Buffer.from('document').toString('base64')}`,
        'Content-Type': 'application/offset+octet-stream',
      },
      body: png(5000).slice(0, 4500),
    })
    expect(reply.status).toBe(201)
    expect(await reconcile({ grace: 0 })).toMatchObject({ orphans: [] })
    const head = await call('HEAD', reply.headers.get('location') ?? '', {
      headers: { 'Tus-Resumable': '1.0.0' },
    })
    expect(head.headers.get('upload-offset')).toBe('4500')
  })

  it('reports uploads whose object is gone, and touches nothing of them', async () => {
    const [first, second] = [await upload(), await upload()]
    await call('DELETE', `/keys/${(await on.row(second)).key}`)
    expect(await reconcile({ grace: 0 })).toMatchObject({ missing: [second], orphans: [] })
    expect((await call('GET', `/direct/${first}`)).status).toBe(200)
    expect((await call('GET', `/direct/${second}`)).status).toBe(404)
    await call('DELETE', `/direct/${second}`)
    expect(await reconcile({ grace: 0 })).toMatchObject({ missing: [] })
  })
})

it('lists what is mine, newest first, page by page', async () => {
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.unshift(await upload())
  const first = await on.json<Page>('GET', '/direct?limit=3')
  expect(first.uploads.map(({ id }) => id)).toEqual(ids.slice(0, 3))
  const second = await on.json<Page>('GET', `/direct?limit=3&after=${first.next}`)
  expect(second).toMatchObject({ next: null })
  expect(second.uploads.map(({ id }) => id)).toEqual(ids.slice(3))
  expect(JSON.stringify(first)).not.toMatch(/ownerId|"key"/)
  expect(await on.json('GET', '/direct?kind=avatar')).toEqual({ uploads: [], next: null })
  for (const bad of ['limit=0', 'limit=101', 'state=odd', 'after=x']) {
    expect((await call('GET', `/direct?${bad}`)).status, bad).toBe(422)
  }
  on.user = randomUUID()
  expect(await on.json('GET', '/direct')).toEqual({ uploads: [], next: null })
})

it('deletes by a job in the same commit', async () => {
  const base = '/uploads'
  const id = await upload(base)
  expect((await call('DELETE', `${base}/${id}`)).status).toBe(204)
  const { rows } = await on.database.pool.query('select input from test_jobs where key = $1', [
    `upload.process:${id}:deleted`,
  ])
  expect(rows).toEqual([{ input: { id } }])
  expect(await on.json('POST', `/process/${id}`)).toEqual({ state: 'deleted' })
  expect((await on.row(id))['purged_at']).not.toBeNull()
  expect((await call('DELETE', `${base}/${id}`)).status).toBe(404)
})

it('counts by kind and state', async () => {
  await upload()
  const stats = await on.json<{ kind: string; state: string }[]>('GET', '/stats')
  expect(stats.find(({ kind, state }) => kind === 'document' && state === 'published')).toMatchObject({
    count: expect.any(Number),
    bytes: expect.any(Number),
  })
})
