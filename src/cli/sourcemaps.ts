import { rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { CommandFailed, type CommandInput, type CommandModule, UsageError } from './command.ts'
import { SentryApi, sentryAccess } from './sentry-api.ts'
import { artifactBundle } from './sourcemaps/bundle.ts'
import { inject } from './sourcemaps/inject.ts'
import { findScripts } from './sourcemaps/scripts.ts'
import { uploadBundle } from './sourcemaps/upload.ts'

/** As it is typed. */
export const name: CommandModule['name'] = 'sourcemaps'
/** One line for the list of commands. */
export const summary: CommandModule['summary'] =
  'Give bundles debug ids, and take their source maps to Sentry'
/** What follows the command. */
export const positionals: string = '<inject|upload> DIR…'
/** More for its help. */
export const details: string = `So that errors of what was bundled and minified show the lines that were written.

  inject   give each script of DIR that has a source map beside it a debug id: in the script, in the map, and where
           capture finds it at run time. Run it between the bundler and the deploy; what has one stays as it is.
  upload   take scripts and maps to Sentry as an artifact bundle; with --keep, into a file instead

A worker, from bundle to deploy:

  wrangler deploy --dry-run --outdir build/worker
  npx breakwater sourcemaps inject build/worker public/assets
  npx breakwater sourcemaps upload build/worker public/assets --delete-maps
  wrangler deploy build/worker/index.js --no-bundle

SENTRY_AUTH_TOKEN (an organization token, or the scopes project:releases and org:read), SENTRY_ORG, SENTRY_PROJECT and,
for one that is not sentry.io, SENTRY_URL come from the environment.`

const OPTIONS = {
  release: { type: 'string', value: 'NAME', summary: 'upload: names the release too (debug ids need none)' },
  keep: { type: 'string', value: 'FILE', summary: 'upload: write the bundle there, and send nothing' },
  'delete-maps': { type: 'boolean', summary: 'upload: delete the maps afterwards, so that none is deployed' },
  json: { type: 'boolean', summary: 'print one JSON object' },
} as const

/** Flags. */
export const options: CommandModule['options'] = OPTIONS

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** Runs it. */
export async function run(input: CommandInput): Promise<number> {
  const values = input.values as CommandInput<typeof OPTIONS>['values']
  const [action, ...places] = input.positionals
  if (action !== 'inject' && action !== 'upload')
    throw new UsageError('breakwater sourcemaps needs one of: inject, upload.')
  if (places.length === 0) throw new UsageError(`breakwater sourcemaps ${action} needs a folder.`)
  for (const flag of ['release', 'keep', 'delete-maps'] as const) {
    if (values[flag] !== undefined && action !== 'upload') throw new UsageError(`--${flag} goes with upload.`)
  }
  const { scripts, passed } = findScripts(places)
  if (scripts.length === 0)
    throw new CommandFailed(
      `No script with a source map beside it in ${places.join(', ')}${passed[0] ? `; ${passed[0].path}: ${passed[0].why}` : ''}.`,
    )
  if (action === 'inject') {
    const done = scripts.map((script) => ({
      path: script.path,
      debugId: inject(script, process.cwd()),
      before: script.debugId !== undefined,
    }))
    if (values.json) print(JSON.stringify({ injected: done, passed }))
    else {
      for (const { path, debugId, before } of done)
        print(`${debugId}  ${path}${before ? ' (as before)' : ''}`)
      for (const { path, why } of passed) print(`passed over ${path}: ${why}`)
    }
    return 0
  }
  const access = values.keep === undefined ? sentryAccess() : undefined
  const bundle = artifactBundle(scripts, {
    organization: access?.organization ?? process.env['SENTRY_ORG'] ?? '',
    project: access?.project ?? process.env['SENTRY_PROJECT'] ?? '',
    ...(values.release !== undefined && { release: values.release }),
  })
  let sent = 0
  if (access) sent = await uploadBundle(new SentryApi(access), bundle, values.release)
  else writeFileSync(values.keep ?? '', bundle)
  if (values['delete-maps']) for (const { mapPath } of scripts) rmSync(mapPath, { force: true })
  const result = { scripts: scripts.length, bytes: bundle.length, sent }
  if (values.json) print(JSON.stringify(result))
  else
    print(
      values.keep === undefined
        ? `${scripts.length} scripts and their maps are at Sentry (${sent} of ${bundle.length} bytes were new).`
        : `${scripts.length} scripts and their maps are in ${values.keep}.`,
    )
  return 0
}
