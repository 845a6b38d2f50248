import type { BuildOptions, Plugin } from 'esbuild'

/** The peers live in a folder of their own, with a copy of Hono; an app has one, and it is the same for all here. */
const oneHono: Plugin = {
  name: 'one-hono',
  setup(build) {
    build.onResolve({ filter: /^hono(\/|$)/ }, ({ path, kind, pluginData }) => {
      if (pluginData === oneHono) return undefined
      return build.resolve(path, { kind, resolveDir: process.cwd(), pluginData: oneHono })
    })
  },
}

/** How every worker here is bundled, ours and the peers': as a deploy does it, minified. */
export const bundling = {
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2024',
  mainFields: ['module', 'main'],
  conditions: ['workerd', 'worker', 'browser', 'import'],
  // WebAssembly is uploaded beside the code.
  external: ['cloudflare:*', 'node:*', '*.wasm'],
  tsconfig: 'tsconfig.json',
  plugins: [oneHono],
} satisfies BuildOptions
