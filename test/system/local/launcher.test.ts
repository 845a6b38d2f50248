import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { processesWith, until } from './program.ts'

const root = join(import.meta.dirname, '../../..')
const launcher = join(root, 'bin/breakwater.js')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

/** Each Node of this machine; the one that is too old for the sources is the reason for the launcher. */
const nodes = [
  ...new Set(
    [
      process.execPath,
      ...(process.env['PATH'] ?? '').split(delimiter).map((path: string) => join(path, 'node')),
    ]
      .filter((file) => existsSync(file))
      .map((file) => realpathSync(file)),
  ),
]

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-launcher-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(nodes)('breakwater started by %s', (node) => {
  it('runs', async () => {
    const { stdout } = await promisify(execFile)(node, [launcher, '--version'], { cwd: root })
    expect(stdout).toBe(`${version}\n`)
  })

  it('runs from another folder and through a link, as npm installs it', async () => {
    const link = join(folder, `breakwater-${nodes.indexOf(node)}`)
    symlinkSync(launcher, link)
    const { stdout } = await promisify(execFile)(node, [link, 'help'], { cwd: folder })
    expect(stdout).toContain('Usage: breakwater <command>')
  })

  it('hands on the exit code', async () => {
    const failed = await promisify(execFile)(node, [launcher, 'nonsense'], { cwd: root }).catch(
      (error: { code: number; stderr: string }) => error,
    )
    expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no command nonsense') })
  })

  it('takes everything with it when it is killed', async () => {
    const state = join(folder, `state-${nodes.indexOf(node)}`)
    const ports = ['', 'console-', 'postgres-', 'neon-', 'upstash-', 'sentry-', 'mail-'].flatMap((part) => [
      `--${part}port`,
      '0',
    ])
    const { DATABASE_URL: _, REDIS_URL: __, ...env } = process.env
    const child = spawn(
      node,
      [launcher, 'dev', '--no-worker', '--no-migrations', ...ports, '--state', state],
      {
        // A Postgres is another test's business.
        env: { ...env, DATABASE_URL: 'postgres://u:p@127.0.0.1:1/db' },
        cwd: root,
        stdio: 'ignore',
      },
    )
    const ended = new Promise((resolve) => child.on('exit', resolve))
    await until(() => processesWith(state).length > 0)
    child.kill('SIGKILL')
    await ended
    await until(() => processesWith(state).length === 0)
  })
})
