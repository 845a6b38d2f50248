import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { address, breakwater, freePorts, membersOf, processesWith, type Run, until } from './program.ts'

let folder: string
let state: string
const runs: Run[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-dev-'))
  // As root, Postgres runs as another user, who must get through.
  chmodSync(folder, 0o755)
  state = join(folder, 'state')
})
afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.child.kill('SIGTERM')
    await run.ended
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function dev(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  ports: readonly string[] = freePorts,
): Run {
  const run = breakwater(['dev', ...ports, '--state', state, ...args], env)
  runs.push(run)
  return run
}

async function ready(run: Run): Promise<Run> {
  await run.said(/Ready in \d+\.\d s/)
  await run.said(/ {2}Upstash +http/)
  return run
}

/** Ends a run as Ctrl-C does and tells how it went. */
async function interrupt(run: Run): Promise<number | NodeJS.Signals | null> {
  run.child.kill('SIGINT')
  return run.ended
}

async function redis(run: Run, ...command: string[]): Promise<unknown> {
  const { upstashToken } = JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8')) as {
    upstashToken: string
  }
  const response = await fetch(address(run, 'Upstash'), {
    method: 'POST',
    headers: { authorization: `Bearer ${upstashToken}` },
    body: JSON.stringify(command),
  })
  return ((await response.json()) as { result?: unknown }).result
}

async function sql(run: Run, query: string): Promise<unknown> {
  const url = /^DATABASE_URL='(.*)'$/m.exec(readFileSync(join(state, 'worker.env'), 'utf8'))?.[1] ?? ''
  const response = await fetch(`${address(run, 'Neon')}/sql`, {
    method: 'POST',
    headers: { 'neon-connection-string': url },
    body: JSON.stringify({ query, params: [] }),
  })
  return ((await response.json()) as { rows?: unknown }).rows
}

describe('a stack without a worker', () => {
  it('starts, tells where everything is, keeps its state over a restart, and forgets it at --reset', async () => {
    const first = await ready(dev(['--no-worker']))
    expect(await (await fetch(address(first, 'Console'))).text()).toContain('Local stack')
    await sql(first, 'create table kept (n int)')
    await sql(first, 'insert into kept values (42)')
    await redis(first, 'SET', 'kept', 'yes')
    await fetch(`${address(first, 'Errors')}/api/1/envelope/?sentry_key=k`, {
      method: 'POST',
      body: '{}\n{"type":"event"}\n{"message":"kept"}',
    })
    await fetch(`${address(first, 'Mailbox')}/emails`, {
      method: 'POST',
      headers: { authorization: 'Bearer re_x' },
      body: JSON.stringify({ from: 'a@example.test', to: 'b@example.test', subject: 'kept', text: 'x' }),
    })
    const secrets = readFileSync(join(state, 'secrets.json'), 'utf8')
    for (const name of ['secrets.json', 'worker.env'])
      expect(statSync(join(state, name)).mode & 0o077).toBe(0)
    expect(await interrupt(first)).toBe(130)
    expect(first.output()).not.toContain('Stopping the rest')
    expect(processesWith(state)).toEqual([])
    expect(existsSync(join(state, 'run.json'))).toBe(false)

    const second = await ready(dev(['--no-worker']))
    expect(await sql(second, 'select n from kept')).toEqual([{ n: 42 }])
    expect(await redis(second, 'GET', 'kept')).toBe('yes')
    expect(await (await fetch(address(second, 'Errors'))).text()).toContain('kept')
    expect(await (await fetch(address(second, 'Mailbox'))).text()).toContain('kept')
    expect(readFileSync(join(state, 'secrets.json'), 'utf8')).toBe(secrets)
    second.child.kill('SIGTERM')
    expect(await second.ended).toBe(143)

    const third = await ready(dev(['--no-worker', '--reset']))
    expect(await sql(third, 'select n from kept')).toBeUndefined()
    expect(await redis(third, 'GET', 'kept')).toBeNull()
    expect(await (await fetch(address(third, 'Mailbox'))).text()).not.toContain('kept')
    expect(await interrupt(third)).toBe(130)
  })

  it('has one run at a time on a folder, and says so to a second', async () => {
    const first = await ready(dev(['--no-worker']))
    for (const flags of [[], ['--reset']]) {
      const second = dev(['--no-worker', ...flags])
      expect(await second.ended).toBe(1)
      expect(second.output()).toBe(
        `Another breakwater dev (process ${first.child.pid}) is running on ${state}. Stop it, or give --state another folder.\n`,
      )
    }
    expect(await (await fetch(address(first, 'Console'))).text()).toContain('Local stack')
  })

  it('lets one of several win that start at once', async () => {
    const many = [1, 2, 3, 4].map(() => dev(['--no-worker']))
    const won = await Promise.all(
      many.map((run) =>
        Promise.race([
          run.said(/Ready in/).then(
            () => true,
            () => false,
          ),
          run.ended.then(() => false),
        ]),
      ),
    )
    expect(won.filter(Boolean)).toHaveLength(1)
    for (const [i, run] of many.entries()) {
      if (!won[i]) expect(run.output()).toContain('Another breakwater dev')
    }
  })

  it('leaves nothing behind when it is killed, and starts again over what is left', async () => {
    const killed = await ready(dev(['--no-worker']))
    killed.child.kill('SIGKILL')
    expect(await killed.ended).toBe('SIGKILL')
    await until(() => processesWith(state).length === 0)
    expect(existsSync(join(state, 'run.json'))).toBe(true)
    const next = await ready(dev(['--no-worker']))
    expect(await interrupt(next)).toBe(130)
  })

  it('does not touch a process that now has the number of one it had started', async () => {
    const other = breakwater(['dev', ...freePorts, '--no-worker', '--state', join(folder, 'other')])
    runs.push(other)
    await ready(other)
    const owner = { pid: 2 ** 22 + 1, started: 'long ago' }
    const children = [{ pid: other.child.pid, started: 'another time' }]
    writeFileSync(join(state, 'run.json'), JSON.stringify({ owner, children }))
    await interrupt(await ready(dev(['--no-worker'])))
    expect(other.child.exitCode).toBeNull()
    expect((await fetch(address(other, 'Console'))).status).toBe(200)
  })

  it.each(['', '{"owner":{"pid":1}}', '{"owner":{"pid":99999999,"started":"x"},"children":[{"pid":-1}]}'])(
    'gets over a torn run file: %j',
    async (text) => {
      mkdirSync(state, { recursive: true })
      writeFileSync(join(state, 'run.json'), text)
      const taken = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => taken.once('listening', resolve))
      // A wrong database ends the run right after the folder was taken.
      const run = dev(['--no-worker'], { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/db' })
      expect(await run.ended).toBe(1)
      expect(run.output()).toContain('DATABASE_URL cannot be used')
      taken.close()
    },
  )
})

describe('what stands in the way of a start', () => {
  it('is a port: one sentence with the port, the part and the flag, and nothing is started', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    for (const [flag, part] of [
      ['--neon-port', 'the Neon endpoint'],
      ['--postgres-port', 'Postgres'],
      ['--console-port', 'the console'],
    ] as const) {
      const ports = freePorts.map((value, i) => (freePorts[i - 1] === flag ? String(port) : value))
      const run = dev(['--no-worker'], {}, ports)
      expect(await run.ended).toBe(1)
      expect(run.output()).toBe(
        `Port ${port}, wanted for ${part}, is taken by another program: stop that, or choose another port with ${flag}.\n`,
      )
    }
    taken.close()
  })

  it('is one port for two parts', async () => {
    const run = breakwater(['dev', '--no-worker', '--state', state, '--neon-port', '8705'])
    runs.push(run)
    expect(await run.ended).toBe(1)
    expect(run.output()).toContain('Port 8705 is wanted for both the Neon endpoint and the mailbox')
  })

  it('is a folder with files of others, which stay, --reset or not', async () => {
    const mine = join(folder, 'mine')
    mkdirSync(mine)
    writeFileSync(join(mine, 'thesis.txt'), 'years of work')
    for (const flags of [[], ['--reset']]) {
      const run = breakwater(['dev', ...freePorts, '--no-worker', '--state', mine, ...flags])
      runs.push(run)
      expect(await run.ended).toBe(1)
      expect(run.output()).toContain(`${mine} holds files that are not Breakwater's state`)
      expect(readdirSync(mine)).toEqual(['thesis.txt'])
    }
  })

  it('is a file in the place of the folder', async () => {
    writeFileSync(join(folder, 'file'), '')
    const run = breakwater(['dev', ...freePorts, '--no-worker', '--state', join(folder, 'file')])
    runs.push(run)
    expect(await run.ended).toBe(1)
    expect(run.output()).toMatch(/^The state folder \S+ cannot be used: a file is in the way\. /)
  })

  it.each([
    [
      { DATABASE_URL: 'postgres://u:s3cret@127.0.0.1:1/db' },
      'DATABASE_URL cannot be used: 127.0.0.1:1/db takes no connections.',
    ],
    [{ DATABASE_URL: 'mysql://u:s3cret@127.0.0.1/db' }, 'DATABASE_URL is not a Postgres URL'],
    [{ DATABASE_URL: 's3cret' }, 'DATABASE_URL is not a Postgres URL'],
    [
      { REDIS_URL: 'redis://u:s3cret@127.0.0.1:1' },
      'REDIS_URL cannot be used: 127.0.0.1:1 does not answer as a Redis.',
    ],
    [{ REDIS_URL: 'http://u:s3cret@127.0.0.1:1' }, 'REDIS_URL is not a Redis URL'],
  ])('is a wrong server of your own, told without its password: %j', async (env, said) => {
    const run = dev(['--no-worker'], env)
    expect(await run.ended).toBe(1)
    expect(run.output()).toContain(said)
    expect(run.output()).not.toContain('s3cret')
    expect(processesWith(state)).toEqual([])
  })

  it('is a project without a worker', async () => {
    const run = breakwater(['dev', ...freePorts, '--state', state], {}, folder)
    runs.push(run)
    expect(await run.ended).toBe(1)
    expect(run.output()).toContain('has no wrangler.toml')
  })

  it.each([
    [['dev', '--prot', '1'], 'breakwater dev has no flag --prot; did you mean --port?'],
    [['dev', '--port', 'x'], '--port needs a port'],
    [['dve'], 'There is no command dve; did you mean dev?'],
  ])('is a mistyped command line: %j', async (args, said) => {
    const run = breakwater(args)
    expect(await run.ended).toBe(2)
    expect(run.output()).toContain(said)
    expect(run.output().trim().split('\n')).toHaveLength(1)
  })
})

describe('a stack with a worker', () => {
  it('gives the worker its variables and its bindings, fires its crons, and leaves nothing when killed', async () => {
    const run = await ready(dev([], { SESSION_SECRET: 'from the shell', ENVIRONMENT: 'from the shell' }))
    const worker = address(run, 'Worker')
    const vars = (await (await fetch(`${worker}/vars`)).json()) as Record<string, string>
    expect(vars).toMatchObject({
      ENVIRONMENT: 'development',
      APP_ORIGIN: worker,
      NEON_ENDPOINT: address(run, 'Neon'),
      MAIL_ENDPOINT: address(run, 'Mailbox'),
      UPSTASH_REDIS_REST_URL: address(run, 'Upstash'),
      DATABASE_URL: expect.stringMatching(/^postgresql:\/\/breakwater:/),
    })
    expect(vars['SESSION_SECRET']).toBe(
      JSON.parse(readFileSync(join(state, 'secrets.json'), 'utf8')).sessionSecret,
    )
    await fetch(`${worker}/put`, { method: 'POST', body: 'an object' })
    await fetch(`${worker}/log`)
    await run.said(/^a line of the worker$/m)

    const console = address(run, 'Console')
    const ticks = async (): Promise<number> => Number(await (await fetch(worker)).text())
    const before = await ticks()
    await fetch(`${console}/crons`, { method: 'POST', body: new URLSearchParams({ cron: '* * * * *' }) })
    expect(await ticks()).toBeGreaterThan(before)

    // The console's buttons give the stand-ins their faults.
    await fetch(`${console}/faults/mail`, { method: 'POST', body: new URLSearchParams({ fault: '503' }) })
    expect((await fetch(`${address(run, 'Mailbox')}/`)).status).toBe(503)
    await fetch(`${console}/faults/mail`, { method: 'POST', body: new URLSearchParams({ fault: 'clear' }) })
    expect((await fetch(`${address(run, 'Mailbox')}/`)).status).toBe(200)
    const status = (await (await fetch(`${console}/api/status`)).json()) as { worker: unknown }
    expect(status.worker).toMatchObject({ answers: true, status: 200 })

    const { children } = JSON.parse(readFileSync(join(state, 'run.json'), 'utf8')) as {
      children: { pid: number }[]
    }
    const groups = children.map(({ pid }) => pid)
    expect(membersOf(groups).length).toBeGreaterThan(1)
    run.child.kill('SIGKILL')
    await run.ended
    await until(() => membersOf(groups).length === 0 && processesWith(state).length === 0)
  })

  it('keeps objects over a restart, and ends with 1 when the worker dies', async () => {
    const run = await ready(dev([]))
    expect(await (await fetch(`${address(run, 'Worker')}/get`)).text()).toBe('an object')
    const { children } = JSON.parse(readFileSync(join(state, 'run.json'), 'utf8')) as {
      children: { pid: number }[]
    }
    const leader = Math.min(...children.map(({ pid }) => pid))
    process.kill(leader, 'SIGKILL')
    expect(await run.ended).toBe(1)
    expect(run.output()).toContain("The worker's process was ended by SIGKILL. Stopping the rest.")
    expect(processesWith(state)).toEqual([])
    expect(membersOf([leader])).toEqual([])
  })

  it('can be called off while it starts', async () => {
    const run = dev([])
    await run.said(/Neon ready/)
    expect(await interrupt(run)).toBe(130)
    expect(run.output()).not.toContain('Ready in')
    expect(processesWith(state)).toEqual([])
  })

  it('ends at once when asked a second time, whatever hangs', async () => {
    const run = await ready(dev([]))
    const { children } = JSON.parse(readFileSync(join(state, 'run.json'), 'utf8')) as {
      children: { pid: number }[]
    }
    const leader = Math.min(...children.map(({ pid }) => pid))
    process.kill(leader, 'SIGSTOP')
    const began = performance.now()
    // Told once by the terminal and once by npm: one Ctrl-C.
    run.child.kill('SIGINT')
    run.child.kill('SIGINT')
    await run.said(/Stopping\./)
    await new Promise((resolve) => setTimeout(resolve, 800))
    expect(run.child.exitCode).toBeNull()
    run.child.kill('SIGINT')
    expect(await run.ended).toBe(130)
    // Asking nicely takes four seconds before it insists.
    expect(performance.now() - began).toBeLessThan(3500)
    await until(() => membersOf([leader]).length === 0 && processesWith(state).length === 0)
  })

  it('says what is wrong with a worker that cannot be built', async () => {
    const project = join(folder, 'broken')
    mkdirSync(project)
    writeFileSync(
      join(project, 'wrangler.toml'),
      'name = "broken"\nmain = "worker.js"\ncompatibility_date = "2026-10-01"\n',
    )
    writeFileSync(join(project, 'worker.js'), 'export default { fetch( }\n')
    const run = breakwater(['dev', ...freePorts, '--state', state], {}, project)
    runs.push(run)
    expect(await run.ended).toBe(1)
    expect(run.output()).toContain('The worker did not start.')
    expect(run.output()).toContain('worker.js:1')
    expect(processesWith(state)).toEqual([])
  })
})
