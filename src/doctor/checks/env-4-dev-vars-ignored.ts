import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type DoctorCheck, type Finding, outcome, skip } from '../check.ts'

const HOLDS_SECRETS = /(^|\/)(\.dev\.vars|\.env)(\.[\w.-]+)?$/
const IS_EXAMPLE = /\.(example|sample|template|dist)$/

/** Local secrets are secrets: they must not get into git. */
export const devVarsIgnored: DoctorCheck = {
  id: 'ENV-4',
  level: 'error',
  title: 'Files with local secrets are ignored by git',
  run({ root, git }) {
    const listed = git('ls-files', '-z')
    if (listed?.code !== 0) return skip('this is no git repository')
    const findings: Finding[] = listed.stdout
      .split('\0')
      .filter((file) => HOLDS_SECRETS.test(file) && !IS_EXAMPLE.test(file))
      .map((file) => ({
        message: `${file} is in git`,
        hint: `git rm --cached ${file} && echo ${file} >> .gitignore, and replace every secret in it`,
      }))
    const tracked = new Set(listed.stdout.split('\0'))
    // .dev.vars is where wrangler looks, so it will be made some day; .env only counts once it is there.
    for (const file of ['.dev.vars', ...(existsSync(join(root, '.env')) ? ['.env'] : [])]) {
      if (tracked.has(file) || git('check-ignore', '-q', file)?.code === 0) continue
      findings.push({ message: `${file} is not ignored by git`, hint: `echo ${file} >> .gitignore` })
    }
    return outcome(findings)
  },
}
