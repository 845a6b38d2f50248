import { existsSync } from 'node:fs'
import process from 'node:process'
import packaged from '@sparticuz/chromium'
import { type Browser, chromium } from 'playwright-core'

/** A real Chromium: `CHROME_PATH`, else Debian's, else the one that comes from npm (x64 Linux). */
export async function launch(): Promise<Browser> {
  const installed = [process.env['CHROME_PATH'], '/usr/bin/chromium'].find(
    (path): path is string => path !== undefined && existsSync(path),
  )
  return chromium.launch({
    executablePath: installed ?? (await packaged.executablePath()),
    args: [
      ...(installed === undefined ? packaged.args : ['--no-sandbox', '--disable-gpu']),
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
    headless: true,
  })
}
