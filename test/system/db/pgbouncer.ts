import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** PgBouncer in transaction mode, in front of a database. */
export interface PgBouncer {
  /** The same database through the pooler. */
  readonly url: string
  stop(): Promise<void>
}

/** Where Debian puts it; undefined where it is not installed. */
export function pgbouncerPath(): string | undefined {
  for (const name of ['pgbouncer', '/usr/sbin/pgbouncer']) {
    try {
      execFileSync(name, ['--version'], { stdio: 'ignore' })
      return name
    } catch {}
  }
  return undefined
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

async function answers(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      }).on('error', () => resolve(false))
    })
    if (there) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('PgBouncer did not start')
}

/** Starts it with two server connections, so that clients take turns on them. It will not run as root. */
export async function startPgBouncer(path: string, url: string): Promise<PgBouncer> {
  const { hostname, port: serverPort, username, password, pathname } = new URL(url)
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-pgbouncer-'))
  const port = await freePort()
  const users = join(folder, 'users.txt')
  writeFileSync(users, `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`)
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${hostname} port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
`,
  )
  const nobody = 65534
  const root = process.getuid?.() === 0
  if (root) {
    chmodSync(folder, 0o755)
    for (const file of [users, join(folder, 'pgbouncer.ini')]) chownSync(file, nobody, nobody)
  }
  const child = spawn(path, ['-q', join(folder, 'pgbouncer.ini')], {
    stdio: 'ignore',
    ...(root && { uid: nobody, gid: nobody }),
  })
  await answers(port, child)
  return {
    url: `postgresql://${username}:${password}@127.0.0.1:${port}${pathname}`,
    async stop() {
      const ended = new Promise((resolve) => child.on('exit', resolve))
      child.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
