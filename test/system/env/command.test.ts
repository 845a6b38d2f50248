import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts')
let root: string

function write(file: string, text: string): void {
  mkdirSync(join(root, file, '..'), { recursive: true })
  writeFileSync(join(root, file), text)
}

function breakwater(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('node', [MAIN, ...args], { cwd: root, encoding: 'utf8' })
  return { status, stdout, stderr }
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'breakwater-env-'))
  write('package.json', '{"type": "module"}')
  write('worker/names.ts', "export const stages = ['development', 'production'] as const\n")
  // As projects are written: this package by its name, and an import that a bundler completes.
  write(
    'worker/env.ts',
    `import { bindings, defineEnv, oneOf, rotatingSecret, text } from 'breakwater/env'
import { stages } from './names'

export const environment = defineEnv({
  vars: {
    ENVIRONMENT: oneOf(stages),
    NAME: text({ description: 'What it is | called', example: 'Acme' }).default('Acme'),
    SESSION_SECRET: rotatingSecret({ description: 'Signs sessions.' }),
  },
  bindings: { UPLOADS: bindings.r2() },
})
`,
  )
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('breakwater env', () => {
  it('prints Markdown', () => {
    const { status, stdout } = breakwater('env')
    expect(status).toBe(0)
    expect(stdout).toContain('| `SESSION_SECRET` | Signs sessions. |')
    expect(stdout).toContain('What it is \\| called')
    expect(stdout).toContain('| no: `Acme` |')
    expect(stdout).toContain('| `UPLOADS` | r2 | yes | `[[r2_buckets]] binding = "UPLOADS"` |')
    const columns = stdout.split('\n').map((line) => line.replaceAll('\\|', '').split('|').length)
    expect(new Set(columns.slice(0, 5)).size).toBe(1)
  })

  it('prints an example that passes its own check once the blanks are filled in', () => {
    const { stdout } = breakwater('env', '--format', 'dotenv')
    expect(stdout).toContain('SESSION_SECRET=""')
    expect(stdout).toContain('# NAME="Acme"')
    write('.dev.vars', stdout)
    expect(breakwater('env', '--check', '.dev.vars').status).toBe(1)
    write(
      '.dev.vars',
      stdout
        .replace('ENVIRONMENT=""', 'ENVIRONMENT=development')
        .replace('SESSION_SECRET=""', 'SESSION_SECRET=s'),
    )
    expect(breakwater('env', '--check', '.dev.vars')).toMatchObject({ status: 0, stdout: '.dev.vars: fit\n' })
  })

  it('checks .dev.vars over the variables of wrangler.toml, and notices a typing error', () => {
    write('wrangler.toml', '[vars]\nENVIRONMENT = "development"\n')
    write('.dev.vars', 'SESSION_SECRTE=hunter2\n')
    const { status, stdout } = breakwater('env', '--check', '.dev.vars')
    expect(status).toBe(1)
    expect(stdout).toContain('note: SESSION_SECRTE is not in the schema; did you mean SESSION_SECRET?')
    expect(stdout).toContain('- SESSION_SECRET is not set')
    expect(stdout).not.toContain('ENVIRONMENT')
    expect(stdout).not.toContain('hunter2')
  })

  it('checks every environment of wrangler.toml, or one', () => {
    write(
      'wrangler.toml',
      '[vars]\nENVIRONMENT = "development"\n[[r2_buckets]]\nbinding = "UPLOADS"\n[env.staging]\nname = "s"\n',
    )
    const all = breakwater('env', '--check', 'wrangler.toml')
    expect(all.status).toBe(1)
    expect(all.stdout).toContain('wrangler.toml, the top level: fit')
    expect(all.stdout).toContain('wrangler.toml, env.staging: 2 to put right')
    expect(all.stdout).toContain('wrangler.toml: [env.staging.vars] ENVIRONMENT')
    expect(all.stdout).toContain('[[env.staging.r2_buckets]] binding = "UPLOADS"')
    expect(breakwater('env', '--check', 'wrangler.toml', '--env', 'nowhere')).toMatchObject({
      status: 1,
      stdout: '',
    })
  })

  it.each([
    ['a schema that is not there', ['--schema', 'src/env.ts'], 1, 'src/env.ts does not exist'],
    ['a file that is not there', ['--check', '.dev.vars'], 1, '.dev.vars does not exist'],
    ['a format that is none', ['--format', 'xml'], 2, '--format is markdown or dotenv'],
    ['a flag that goes with another', ['--env', 'x'], 2, '--env goes with --check'],
  ])('refuses %s in one line', (_, args, status, message) => {
    const reply = breakwater('env', ...args)
    expect(reply.status).toBe(status)
    expect(reply.stderr).toContain(message)
    expect(reply.stderr.trim().split('\n')).toHaveLength(1)
  })

  it('says so when the schema needs the Workers runtime', () => {
    write('worker/env.ts', "import { env } from 'cloudflare:workers'\nexport const x = env\n")
    const { status, stderr } = breakwater('env')
    expect(status).toBe(1)
    expect(stderr).toContain('it imports cloudflare:workers, which only Workers have')
  })

  it('says so when the module declares nothing', () => {
    write('worker/env.ts', 'export const x = 1\n')
    expect(breakwater('env').stderr).toContain('exports nothing that defineEnv made')
  })
})
