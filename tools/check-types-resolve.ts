import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Packs the package and asks arethetypeswrong whether every subpath's types resolve as an importer sees them. */
const folder = mkdtempSync(join(tmpdir(), 'breakwater-pack-'))
try {
  const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    encoding: 'utf8',
  })
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))
  if (packed.status !== 0 || tarball === undefined) throw new Error(packed.stderr)
  // ESM only, and only for resolvers that read `exports`: what every Workers toolchain is.
  const run = spawnSync(
    'attw',
    [join(folder, tarball), '--profile', 'esm-only', '--no-color', '--format', 'ascii'],
    {
      encoding: 'utf8',
    },
  )
  if (run.status !== 0) {
    console.error(`${run.stdout}${run.stderr}`)
    process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
