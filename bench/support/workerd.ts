import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
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

/** A worker whose modules are in the folder. */
export interface Built {
  readonly name: string
  readonly bindings: Readonly<Record<string, string>>
  /** Names of its WebAssembly modules. */
  readonly wasm: readonly string[]
}

/** Workers served by one workerd, each on a port of its own, so that nothing stands between load and worker. */
export interface Served {
  readonly pid: number
  readonly ports: Readonly<Record<string, number>>
  /** Where the inspector listens; 0 when it was not asked for. */
  readonly inspector: number
  stop(): Promise<void>
}

/** Options of serving. */
export interface ServeOptions {
  /** Open the inspector. Default false. */
  readonly inspector?: boolean
}

/** Bundles each worker with the same options into a folder. */
export async function buildWorkers(specs: readonly WorkerSpec[], folder: string): Promise<Built[]> {
  const built: Built[] = []
  for (const spec of specs) {
    await build({
      ...bundling,
      external: bundling.external.filter((pattern) => !pattern.endsWith('.wasm')),
      loader: { '.wasm': 'copy' },
      assetNames: `${spec.name}-[name]`,
      minify: !spec.readable,
      entryPoints: [spec.entry],
      outfile: join(folder, `${spec.name}.js`),
      logLevel: 'error',
    })
    const wasm = readdirSync(folder).filter(
      (file) => file.startsWith(`${spec.name}-`) && file.endsWith('.wasm'),
    )
    built.push({ name: spec.name, bindings: spec.bindings ?? {}, wasm })
  }
  return built
}

/** Serves what was built from one workerd; resolves when each has answered a request for `/`. */
export async function serveBuilt(
  built: readonly Built[],
  folder: string,
  options: ServeOptions = {},
): Promise<Served> {
  const ports: Record<string, number> = {}
  const services: string[] = []
  const sockets: string[] = []
  for (const { name, bindings, wasm } of built) {
    const port = await freePort()
    ports[name] = port
    const modules = [
      `(name = "${name}.js", esModule = embed "${name}.js")`,
      ...wasm.map((file) => `(name = "${file}", wasm = embed "${file}")`),
    ]
    const variables = Object.entries(bindings).map(
      ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`,
    )
    services.push(
      `(name = "${name}", worker = (modules = [${modules.join(', ')}], compatibilityDate = "2026-10-01", ` +
        `bindings = [${variables.join(', ')}], globalOutbound = "local"))`,
    )
    sockets.push(`(name = "${name}", address = "127.0.0.1:${port}", http = (), service = "${name}")`)
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
    },
  }
}

/** Bundles workers and serves them; {@link Served.stop} leaves nothing behind. */
export async function serveWorkers(
  specs: readonly WorkerSpec[],
  options: ServeOptions = {},
): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-bench-'))
  const clean = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const served = await serveBuilt(await buildWorkers(specs, folder), folder, options)
    return { ...served, stop: () => served.stop().finally(clean) }
  } catch (error) {
    clean()
    throw error
  }
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode}`)
    try {
      await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer()
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  child.kill('SIGKILL')
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
