import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

/** Bundles `breakwater/client/capture` into one file for the reference page, which is served as it is. */
export async function pageCapture(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, '../src/client/capture/index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, '../worker/public/capture.js'), await pageCapture())
}
