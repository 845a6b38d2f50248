import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { bundling } from '../support/bundling.ts'

/** What a bundle weighs, in bytes, and what is in it. */
export interface Bundle {
  readonly gzip: number
  readonly brotli: number
  /** Bytes of minified output by the file or package they came from, largest first. */
  readonly parts: readonly (readonly [part: string, bytes: number])[]
}

/**
 * Bundles and minifies for workerd, as a deploy does. WebAssembly is left out: it is uploaded beside the code.
 * @param external what is left out, with everything below it.
 */
export async function bundle(
  source: string,
  options: { readonly external?: readonly string[]; readonly folder?: string } = {},
): Promise<Bundle> {
  const result = await build({
    ...bundling,
    stdin: { contents: source, resolveDir: options.folder ?? '.', loader: 'ts' },
    write: false,
    external: [...bundling.external, ...(options.external ?? [])],
    metafile: true,
    logLevel: 'silent',
  })
  const code = result.outputFiles[0]?.contents ?? new Uint8Array()
  const parts = new Map<string, number>()
  for (const { inputs } of Object.values(result.metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
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

/** A package by its name, a file of ours by its path. */
function partOf(file: string): string {
  return /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? file
}
