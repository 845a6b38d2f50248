import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { soundToml } from '../../unit/doctor/support.ts'

const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts')
let root: string

function write(file: string, text: string): void {
  mkdirSync(join(root, file, '..'), { recursive: true })
  writeFileSync(join(root, file), text)
}

// Not spawnSync: the server that is looked at lives in this process.
function doctor(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('node', [MAIN, 'doctor', ...args], { cwd: root })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
}

async function served<T>(
  handler: (request: IncomingMessage, reply: ServerResponse) => void,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'breakwater-doctor-'))
  execFileSync('git', ['init', '-q'], { cwd: root })
  write('.gitignore', '.dev.vars\n')
  write('package.json', '{"type": "module"}')
  write('wrangler.toml', soundToml)
  write(
    'worker/env.ts',
    `import { bindings, defineEnv, oneOf, rotatingSecret, text } from 'breakwater/env'
export const environment = defineEnv({
  vars: { ENVIRONMENT: oneOf(['development', 'production']), NAME: text(), SESSION_SECRET: rotatingSecret() },
  bindings: { UPLOADS: bindings.r2(), JOBS: bindings.queue() },
})
`,
  )
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('breakwater doctor', () => {
  it('finds nothing wrong with a sound project, and asks nothing over the network', async () => {
    const { status, stdout, stderr } = await doctor('--fail-on', 'info')
    expect(stdout).toContain('0 errors, 0 warnings, 0 info')
    expect(stdout).toContain('skipped: give the address of the deployed Worker with --url')
    expect([status, stderr]).toEqual([0, ''])
  })

  it('finds a file of secrets that git knows', async () => {
    write('.dev.vars', 'SESSION_SECRET=hunter2\n')
    execFileSync('git', ['add', '-f', '.dev.vars'], { cwd: root })
    const { status, stdout } = await doctor()
    expect(status).toBe(1)
    expect(stdout).toContain('.dev.vars is in git')
    expect(stdout).toContain('docs/doctor.md#env-4')
    expect(stdout).not.toContain('hunter2')
  })

  it('fails from the level that was asked for', async () => {
    write('wrangler.toml', soundToml.replace('upload_source_maps = true', ''))
    expect((await doctor()).status).toBe(0)
    expect((await doctor('--fail-on', 'warn')).status).toBe(1)
    expect((await doctor('--fail-on', 'sometimes')).status).toBe(2)
  })

  it('leaves out what package.json silences', async () => {
    write('wrangler.toml', soundToml.replace('upload_source_maps = true', ''))
    write(
      'package.json',
      '{"type": "module", "breakwater": {"doctor": {"silence": ["WRANGLER-11", "NO-1"]}}}',
    )
    const { status, stdout } = await doctor('--fail-on', 'warn')
    expect(status).toBe(0)
    expect(stdout).toContain('silenced in package.json')
    expect(stdout).toContain('NO-1')
  })

  it('prints one JSON object', async () => {
    const { stdout } = await doctor('--json')
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      environment: 'the top level',
      failed: { error: 0, warn: 0, info: 0 },
      notes: [],
    })
    expect(report.checks.find((check: { id: string }) => check.id === 'ENV-4')).toMatchObject({
      status: 'pass',
      level: 'error',
    })
  })

  it('looks at a live site', async () => {
    const { stdout, status } = await served(
      (request, reply) => {
        if (request.url === '/') {
          return reply.writeHead(200, { 'X-Content-Type-Options': 'nosniff' }).end('<p>hello')
        }
        if (request.url === '/livez') return reply.end('{"status":"pass"}')
        if (request.url === '/readyz') return reply.writeHead(503).end('{"status":"fail"}')
        return reply.writeHead(500).end('Error: x\n    at handler (/worker/index.ts:1:2)\n')
      },
      (url) => doctor('--json', '--url', `${url}/some/path`),
    )
    expect(status).toBe(1)
    const status_of = Object.fromEntries(
      JSON.parse(stdout).checks.map((check: { id: string; status: string }) => [check.id, check.status]),
    )
    expect(status_of).toMatchObject({
      'HTTP-19': 'skip',
      'HTTP-20': 'fail',
      'HTTP-21': 'pass',
      'HTTP-28': 'fail',
      'OPS-52': 'fail',
    })
  })

  it('survives a page that never ends', async () => {
    const { stdout } = await served(
      (_, reply) => {
        reply.writeHead(200)
        const more = (): void => {
          while (!reply.destroyed && reply.write('x'.repeat(65_536)));
          if (!reply.destroyed) reply.once('drain', more)
        }
        more()
      },
      (url) => doctor('--json', '--url', url),
    )
    expect(JSON.parse(stdout).checks).not.toHaveLength(0)
  })

  it('counts a site that does not answer as failed, not as skipped', async () => {
    const url = await served(
      () => {},
      async (address) => address,
    )
    const { status, stdout } = await doctor('--url', url)
    expect(status).toBe(1)
    expect(stdout).toContain('did not answer (ECONNREFUSED)')
  })

  it('refuses what it cannot look at, in one line', async () => {
    const wrong: [string[], string][] = [
      [['--env', 'nowhere'], 'has no [env.nowhere]'],
      [['--url', 'app.acme.dev'], 'is not an http: or https: URL'],
      [['--schema', 'nowhere.ts'], 'nowhere.ts does not exist'],
    ]
    const replies = await Promise.all(wrong.map(([args]) => doctor(...args)))
    for (const [i, { status, stderr }] of replies.entries()) {
      expect(status).toBe(1)
      expect(stderr).toContain(wrong[i]?.[1])
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
  })

  it('says where wrangler.toml cannot be parsed, and shows nothing of it', async () => {
    write('wrangler.toml', '[vars]\nKEY = "hunter2')
    const { status, stderr } = await doctor()
    expect(status).toBe(1)
    expect(stderr).toMatch(/^wrangler\.toml cannot be parsed: .* in line 2\n$/)
    expect(stderr).not.toContain('hunter2')
  })

  it('judges what there is in a folder without wrangler.toml, schema or git', async () => {
    rmSync(join(root, '.git'), { recursive: true })
    rmSync(join(root, 'wrangler.toml'))
    rmSync(join(root, 'worker'), { recursive: true })
    const { status, stdout } = await doctor()
    expect(status).toBe(0)
    expect(stdout).toMatch(/0 errors, 0 warnings, 0 info, 0 passed, \d+ skipped/)
  })
})
