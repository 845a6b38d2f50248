import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { type Browser, chromium } from 'playwright-core'

// Not the packaged list of flags: it turns the browser's own security off, which is half of what is tested.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

/** A real Chromium: `CHROME_PATH`, else Debian's, else the one that comes from npm (x64 Linux). */
export async function launch(): Promise<Browser> {
  const installed = [process.env['CHROME_PATH'], '/usr/bin/chromium'].find(
    (path): path is string => path !== undefined && existsSync(path),
  )
  return chromium.launch({ executablePath: installed ?? (await packaged()), args: FLAGS, headless: true })
}

/** The packaged one brings NSS along and unpacks it only where it believes itself in a function host. */
async function packaged(): Promise<string> {
  const libraries = spawnSync('ldconfig', ['-p'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH']}:/sbin:/usr/sbin` },
  })
  if (!libraries.stdout?.includes('libnss3.so')) process.env['AWS_LAMBDA_JS_RUNTIME'] = 'nodejs22.x'
  const { default: package_ } = await import('@sparticuz/chromium')
  return package_.executablePath()
}
