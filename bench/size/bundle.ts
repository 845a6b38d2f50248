import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'

/** What a bundle weighs, and what is in it. */
export interface Bundle {
  readonly gzip: number
  readonly brotli: number
  /** Bytes of minified output by the module or package they came from, largest first. */
  readonly parts: readonly (readonly [part: string, bytes: number])[]
}

/** Bundles and minifies as a deploy does, for workerd. `external` are left out, with everything below them. */
export async function bundle(source: string, external: readonly string[] = []): Promise<Bundle> {
  const result = await build({
    stdin: { contents: source, resolveDir: '.', loader: 'ts' },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2024',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    external: ['cloudflare:*', 'node:*', '*.wasm', ...external],
    tsconfig: 'tsconfig.json',
    metafile: true,
    logLevel: 'silent',
  })
  const code = result.outputFiles[0]?.contents ?? new Uint8Array()
  const parts = new Map<string, number>()
  for (const output of Object.values(result.metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs)) {
      if (bytesInOutput === 0) continue
      const name = partOf(file)
      parts.set(name, (parts.get(name) ?? 0) + bytesInOutput)
    }
  }
  return {
    gzip: gzipSync(code, { level: 9 }).length,
    brotli: brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length,
    parts: [...parts].sort((a, b) => b[1] - a[1]),
  }
}

function partOf(file: string): string {
  const packages = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)
  return packages?.[1] ?? file
}
