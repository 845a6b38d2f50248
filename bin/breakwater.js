#!/usr/bin/env node
// Finds the program and a Node that can run it. Plain JavaScript for old Nodes: the machine's own may be one.
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))))
const source = join(root, 'src', 'cli', 'main.ts')
const built = join(root, 'dist', 'cli', 'main.js')
// Node strips no types under node_modules, so what is installed there runs what was built.
const fromSource = existsSync(source) && !root.split(sep).includes('node_modules')
const program = fromSource ? source : built
const able = fromSource
  ? Boolean(process.features.typescript)
  : Number.parseInt(process.versions.node, 10) >= 22
const HANDED_ON = 'BREAKWATER_HANDED_ON'

if (!existsSync(program)) {
  console.error('breakwater is not built: dist/cli/main.js is missing from the package.')
  process.exitCode = 1
} else if (able) {
  process.argv[1] = program
  await import(pathToFileURL(program).href)
} else {
  const node = process.env[HANDED_ON] ? undefined : otherNode()
  if (node) run(node)
  else {
    const wanted = fromSource ? '24' : '22 or newer'
    console.error(
      `breakwater needs Node ${wanted}; this is ${process.version} and no other is in node_modules/.bin.`,
    )
    process.exitCode = 1
  }
}

/** A Node that npm installed, in the project or in this package. */
function otherNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  for (const place of [process.cwd(), root, dirname(dirname(root))]) {
    for (const path of [join('node_modules', 'node', 'bin', name), join('node_modules', '.bin', name)]) {
      if (existsSync(join(place, path))) return join(place, path)
    }
  }
  return undefined
}

function run(node) {
  const child = spawn(node, [program, ...process.argv.slice(2)], {
    // The channel carries nothing: it closes when this process dies, however it dies, and the program sees that.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [HANDED_ON]: '1' },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C reaches the whole foreground group by itself; twice would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    console.error(`breakwater could not start ${node}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
