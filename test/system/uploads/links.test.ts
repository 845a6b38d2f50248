import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { png, sha256 } from './files.ts'
import { stage } from './stage.ts'

const on = stage()
const { call } = on

async function upload(kind: string): Promise<string> {
  const reply = await call('POST', `/direct?kind=${kind}&name=a.png`, { body: png(5000) })
  expect(reply.status).toBe(201)
  return ((await reply.json()) as { id: string }).id
}

async function link(id: string, query = ''): Promise<string> {
  const reply = await call('POST', `/direct/${id}/links${query}`)
  expect(reply.status).toBe(201)
  return ((await reply.json()) as { url: string }).url
}

it('a signed address opens one upload to anybody, in pieces too', async () => {
  const id = await upload('document')
  const url = await link(id)
  const got = await fetch(url)
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(png(5000)))
  expect(got.headers.get('cache-control')).toBe('private, no-cache')
  expect((await fetch(url, { headers: { range: 'bytes=0-9' } })).status).toBe(206)
  expect((await fetch(`${on.url}/direct/${id}`)).status).toBe(401)
})

it('a signed address opens nothing else, not longer, and not when it was changed', async () => {
  const [id, other] = [await upload('document'), await upload('document')]
  const url = await link(id)
  const token = new URL(url).searchParams.get('token') ?? ''
  const [expires = '', signature = ''] = token.split('.')
  const opens = async (target: string, value: string) =>
    (await fetch(`${on.url}/direct/${target}?token=${value}`)).status
  expect(await opens(id, token)).toBe(200)
  for (const bad of [
    `${Number(expires) + 1}.${signature}`,
    `${expires}.${signature.slice(1)}A`,
    expires,
    '',
    'x.y',
  ]) {
    expect(await opens(id, bad), bad).toBe(401)
  }
  expect(await opens(other, token)).toBe(401)
  expect((await fetch(`${on.url}/direct/${id}/status?token=${token}`)).status).toBe(401)
  expect((await fetch(`${on.url}/direct/${id}?token=${token}`, { method: 'DELETE' })).status).toBe(401)
  const short = await link(id, '?seconds=1')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  expect((await fetch(short)).status).toBe(401)
})

it('signed addresses are made and revoked by the owner alone', async () => {
  const id = await upload('document')
  const url = await link(id)
  const stranger = randomUUID()
  expect((await call('POST', `/direct/${id}/links`, { as: stranger })).status).toBe(404)
  expect((await call('DELETE', `/direct/${id}/links`, { as: stranger })).status).toBe(404)
  expect((await fetch(url)).status).toBe(200)
  expect((await call('DELETE', `/direct/${id}/links`)).status).toBe(204)
  expect((await fetch(url)).status).toBe(401)
  expect((await fetch(await link(id))).status).toBe(200)
  expect((await call('POST', `/direct/${id}/links?seconds=0`)).status).toBe(422)
})

it('what is public is kept near its readers, answers ranges from there, and goes when it is deleted', async () => {
  const id = await upload('avatar')
  const url = `${on.url}/direct/${id}`
  const first = await fetch(url)
  expect(first.headers.get('cache-control')).toBe('public, max-age=3600')
  await first.arrayBuffer()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const count = () => on.trips().http
  const before = count()
  const again = await fetch(`${url}?unrelated=1`)
  expect(sha256(new Uint8Array(await again.arrayBuffer()))).toBe(sha256(png(5000)))
  expect(again.headers.get('x-content-type-options')).toBe('nosniff')
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } })
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/5000'])
  expect((await fetch(url, { headers: { 'if-none-match': again.headers.get('etag') ?? '' } })).status).toBe(
    304,
  )
  expect(count()).toBe(before)
  expect((await call('DELETE', `/direct/${id}`)).status).toBe(204)
  expect((await fetch(url)).status).toBe(404)
})
