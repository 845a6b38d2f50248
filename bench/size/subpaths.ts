import { readFileSync } from 'node:fs'

/** Subpaths that run on Node, or in tests: nobody deploys them. */
const NOT_DEPLOYED: readonly string[] = ['local', 'doctor', 'testing']

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest

/** The name that a subpath is imported by. */
export const specifierOf = (subpath: string): string =>
  subpath === 'breakwater' ? subpath : `breakwater/${subpath}`

/** Every subpath that may be bundled into a worker, as package.json exports them; the root is called `breakwater`. */
export function edgeSubpaths(): string[] {
  return Object.keys(manifest.exports)
    .filter((key) => !key.endsWith('.json'))
    .map((key) => (key === '.' ? 'breakwater' : key.slice(2)))
    .filter((name) => !NOT_DEPLOYED.some((room) => name === room || name.startsWith(`${room}/`)))
}

/** Patterns that keep every package out of a bundle, so that our own code remains. */
export function packages(): string[] {
  const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  return names.flatMap((name) => [name, `${name}/*`])
}
