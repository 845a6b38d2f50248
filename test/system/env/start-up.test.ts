import { join } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { expect, it } from 'vitest'

const SOURCE = `
import { env } from 'cloudflare:workers'
import { bindings, defineEnv, rotatingSecret } from './src/env/index.ts'
const config = defineEnv({
  vars: { SESSION_SECRET: rotatingSecret({ minBytes: 8 }) },
  bindings: { UPLOADS: bindings.r2() },
}).load(env)
export default { fetch: () => new Response(String(config.SESSION_SECRET.length)) }
`

let complaints = ''

async function worker(bound: Record<string, string>, r2Buckets: string[]): Promise<Miniflare> {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, resolveDir: join(import.meta.dirname, '../../..'), loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
    external: ['cloudflare:*', 'node:*'],
  })
  return new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: outputFiles[0]?.text ?? '',
      compatibilityDate: '2026-10-01',
      host: '127.0.0.1',
      port: 0,
      bindings: bound,
      r2Buckets,
      // What the runtime complains about is what this test provokes.
      handleStructuredLogs: ({ message }) => {
        complaints += message
      },
    }),
  )
}

it('a Worker that is configured right starts, and has its environment at module scope', async () => {
  const running = await worker({ SESSION_SECRET: 'newsecret,oldsecret' }, ['UPLOADS'])
  try {
    expect(await (await running.dispatchFetch('http://localhost/')).text()).toBe('2')
  } finally {
    await running.dispose()
  }
})

it('a Worker that is not never takes traffic', async () => {
  const broken = await worker({ SESSION_SECRET: 'hunter2' }, [])
  try {
    await expect(broken.ready).rejects.toThrow()
    // Both problems at once, and not the value.
    expect(complaints).toContain('SESSION_SECRET is not different secrets of 8 bytes or more')
    expect(complaints).toContain('UPLOADS is not bound')
    expect(complaints).not.toContain('hunter2')
  } finally {
    await broken.dispose().catch(() => {})
  }
})
