import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'

import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import workerd from 'workerd'
import { eventually } from '../support/visitor.ts'

// workerd by itself: the proxy of `wrangler dev` keeps its own connection when a client's breaks.
const folder = mkdtempSync(join(tmpdir(), 'breakwater-disconnect-'))
const root = join(import.meta.dirname, '../../..')
let runtime: ChildProcess
let port = 0

const APP = `
import { requestContext, shield } from 'breakwater/core'
import { Hono } from 'hono'
let seen = []
const app = new Hono()
  .use(requestContext())
  .get('/seen', (c) => c.json(seen))
  .get('/slow', async (c) => {
    const { work } = c.var
    seen = ['begun']
    work.signal.addEventListener('abort', () => seen.push('aborted'))
    work.waitUntil(new Promise((resolve) => setTimeout(resolve, 300)).then(() => seen.push('waited')))
    await new Promise((resolve) => setTimeout(resolve, 60_000))
    return c.text('late')
  })
export default shield(app)
`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

beforeAll(async () => {
  await build({
    stdin: { contents: APP, resolveDir: root, loader: 'js' },
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'import'],
    external: ['node:*', 'cloudflare:*'],
    tsconfig: join(root, 'tsconfig.json'),
    outfile: join(folder, 'worker.js'),
    logLevel: 'silent',
  })
  port = await freePort()
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = .app)], sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const app :Workerd.Worker = (modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-10-01", compatibilityFlags = ["enable_request_signal"]);`,
  )
  runtime = spawn(String(workerd), ['serve', join(folder, 'config.capnp')], { stdio: 'ignore' })
  await eventually(
    () => seen().catch(() => undefined),
    (answer) => answer !== undefined,
  )
})

afterAll(() => {
  runtime?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const seen = async (): Promise<string[]> =>
  (await fetch(`http://127.0.0.1:${port}/seen`)).json() as Promise<string[]>

it('aborts the signal of a request whose client breaks the connection, and finishes what was handed to waitUntil', async () => {
  const client = connect(port, '127.0.0.1')
  client.write('GET /slow HTTP/1.1\r\nhost: app\r\n\r\n')
  await eventually(seen, (list) => list.includes('begun'))
  client.resetAndDestroy()
  expect(await eventually(seen, (list) => list.length === 3)).toEqual(['begun', 'aborted', 'waited'])
})
