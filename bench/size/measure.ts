import { type Bundle, bundle } from './bundle.ts'
import { edgeSubpaths, packages, specifierOf } from './subpaths.ts'

/** A subpath: our own code, and with everything it brings along but `hono`. */
export interface Subpath {
  readonly name: string
  readonly own: Bundle
  readonly whole: Bundle
}

/** Everything that needs no peers. */
export interface Sizes {
  readonly subpaths: readonly Subpath[]
  readonly worker: Bundle
  /** Every middleware in one app, `hono` included, without the database's packages. */
  readonly middleware: Bundle
}

const HONO = ['hono', 'hono/*']
const DATABASE = ['drizzle-orm', 'drizzle-orm/*', '@neondatabase/serverless']

/** Bundles each subpath by itself, the reference worker, and the middleware of the bench. */
export async function measure(): Promise<Sizes> {
  const [subpaths, worker, middleware] = await Promise.all([
    Promise.all(
      edgeSubpaths().map(async (name) => {
        const source = `export * from '${specifierOf(name)}'`
        const [own, whole] = await Promise.all([
          bundle(source, { external: packages() }),
          bundle(source, { external: HONO }),
        ])
        return { name, own, whole }
      }),
    ),
    bundle(`export { default } from './worker/index.ts'`),
    bundle(`export { default } from './bench/edge/workers/chain.ts'`, { external: DATABASE }),
  ])
  return { subpaths, worker, middleware }
}

/** What a user would put together instead, bundled with the same options. */
export function measurePeers(): Promise<Bundle> {
  return bundle(`export { default } from './peers.ts'`, { folder: 'bench/edge/workers' })
}
