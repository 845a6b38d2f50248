import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Each room with a face has a subpath, each subpath has a built file with its types, and nothing else is exported. */
const internal = new Set(['cli'])
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, string | { types: string; default: string }>
}
const faults: string[] = []

const rooms = readdirSync('src', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !internal.has(entry.name))
  .map((entry) => entry.name)
for (const room of rooms) {
  if (!existsSync(`src/${room}/index.ts`)) faults.push(`src/${room} has no face (index.ts)`)
  if (!(`./${room}` in manifest.exports)) faults.push(`src/${room} is not exported as breakwater/${room}`)
}
for (const [subpath, target] of Object.entries(manifest.exports)) {
  if (typeof target === 'string') continue
  for (const file of [target.types, target.default]) {
    if (!existsSync(file))
      faults.push(`breakwater${subpath.slice(1)} points to ${file}, which the build did not make`)
  }
}

if (faults.length > 0) {
  console.error(faults.join('\n'))
  process.exit(1)
}
