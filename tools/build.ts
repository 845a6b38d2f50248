import { spawnSync } from 'node:child_process'
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

/** `npm run build`: sources to `dist/`, one JavaScript file and one declaration for each. */
rmSync('dist', { recursive: true, force: true })
for (const project of ['tsconfig.build.json', 'src/client/tsconfig.build.json']) {
  const run = spawnSync(process.execPath, ['node_modules/typescript-native/bin/tsc', '-p', project], {
    stdio: 'inherit',
  })
  if (run.status !== 0) process.exit(run.status ?? 1)
}

// The compiler rewrites `./x.ts` to `./x.js` in the code and leaves declarations as they were written.
for (const file of globSync('dist/**/*.d.ts')) {
  const text = readFileSync(file, 'utf8')
  const rewritten = text.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]+)\.tsx?(['"])/g, '$1.js$2')
  if (rewritten !== text) writeFileSync(file, rewritten)
}

// Files that are data stay beside the code that reads them.
for (const file of globSync('src/**/*.{wasm,css,html,lua}')) cpSync(file, file.replace(/^src/, 'dist'))
