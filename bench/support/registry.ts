import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from './bench.ts'

const root = join(import.meta.dirname, '..')

/** The names of all benches: the folders that have an `index.ts`. */
export function benchNames(): string[] {
  return readdirSync(root)
    .filter((name) => existsSync(join(root, name, 'index.ts')))
    .sort()
}

/** Loads one bench; only then is what it needs loaded too. */
export async function loadBench(name: string): Promise<Bench> {
  const module = (await import(join(root, name, 'index.ts'))) as { readonly bench: Bench }
  return module.bench
}
