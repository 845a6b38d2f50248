import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Installs what we measure ourselves beside, when it is not there: it is no dependency of the package. */
export function installPeers(say: (line: string) => void): void {
  if (
    existsSync('bench/node_modules/better-auth/package.json') &&
    existsSync('bench/node_modules/pg-boss/package.json')
  )
    return
  say('installing the peers (npm ci --prefix bench)')
  const { status, stderr } = spawnSync('npm', ['ci', '--prefix', 'bench', '--no-audit', '--no-fund'], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The peers could not be installed: ${stderr}`)
}
