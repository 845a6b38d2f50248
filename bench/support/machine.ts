import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { loadTool } from './load.ts'

/** Where and with what a figure was measured. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly platform: string
  readonly node: string
  readonly workerd: string
  readonly hono: string
  readonly load: string
}

/** Describes this machine. */
export function machine(): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    workerd: versionOf('workerd'),
    hono: versionOf('hono'),
    load: loadTool,
  }
}

/** The installed version of a package; `base` is a folder with `node_modules`. */
export function versionOf(name: string, base = '.'): string {
  const { version } = JSON.parse(readFileSync(`${base}/node_modules/${name}/package.json`, 'utf8')) as {
    version: string
  }
  return version
}
