import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import workerd from 'workerd'
import { bundling } from './bundling.ts'

/** A worker to serve: its entry file and its variables. */
export interface WorkerSpec {
  readonly name: string
  readonly entry: string
  readonly bindings?: Readonly<Record<string, string>>
  /** Leaves names as they are, for profiles. Default false: minified. */
  readonly readable?: boolean
}

/** Workers served by one workerd, each on a port of its own, so that nothing stands between load and worker. */
export interface Served {
  readonly pid: number
  readonly ports: Readonly<Record<string, number>>
  /** Where the inspector listens; 0 when it was not asked for. */
  readonly inspector: number
  stop(): Promise<void>
}

/** Bundles each worker with the same options and serves them all from one workerd process. */
export async function serveWorkers(
  specs: readonly WorkerSpec[],
  options: { readonly inspector?: boolean } = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
  const ports: Record<string, number> = {}
  const services: string[] = []
  const sockets: string[] = []
  for (const spec of specs) {
    await build({
      ...bundling,
      minify: !spec.readable,
      entryPoints: [spec.entry],
      outfile: join(folder, `${spec.name}.js`),
      logLevel: 'error',
    })
    const port = await freePort()
    ports[spec.name] = port
    const bindings = Object.entries(spec.bindings ?? {}).map(
      ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`,
    )
    services.push(
      `(name = "${spec.name}", worker = (modules = [(name = "${spec.name}.js", esModule = embed "${spec.name}.js")], ` +
        `compatibilityDate = "2026-10-01", bindings = [${bindings.join(', ')}], ` +
        `globalOutbound = "local"))`,
    )
    sockets.push(
      `(name = "${spec.name}", address = "127.0.0.1:${port}", http = (), service = "${spec.name}")`,
    )
  }
  // Loopback only: nothing measured here may reach out.
  services.push('(name = "local", network = (allow = ["local"]))')
  writeFileSync(
    join(folder, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";\n` +
      `const config :Workerd.Config = (services = [${services.join(', ')}], sockets = [${sockets.join(', ')}]);\n`,
  )
  const inspector = options.inspector ? await freePort() : 0
  const flags = inspector === 0 ? [] : [`--inspector-addr=127.0.0.1:${inspector}`]
  const child = spawn(workerd.default, ['serve', join(folder, 'config.capnp'), ...flags], {
    // Log lines are part of what is measured; reading them is not.
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  await Promise.all(Object.values(ports).map((port) => answering(port, child)))
  return {
    pid: child.pid ?? 0,
    ports,
    inspector,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode}`)
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer()
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`workerd does not answer on port ${port}`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
