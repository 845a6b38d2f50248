import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import autocannon from 'autocannon'

/** A stretch of load on one address. */
export interface LoadOptions {
  readonly url: string
  readonly connections: number
  readonly seconds: number
  readonly headers?: Readonly<Record<string, string>>
}

/** What came of it. */
export interface LoadResult {
  readonly requestsPerSecond: number
  /** How many were answered. */
  readonly requests: number
  /** Replies outside 2xx, and errors. Anything above 0 makes the figure worthless. */
  readonly failures: number
}

/** Which tool makes the load: wrk where it is installed, since it leaves more of the machine to the server. */
export const loadTool: 'wrk' | 'autocannon' = has('wrk') ? 'wrk' : 'autocannon'

/** Sends requests as fast as they are answered. */
export async function load(options: LoadOptions): Promise<LoadResult> {
  return loadTool === 'wrk' ? withWrk(options) : withAutocannon(options)
}

async function withWrk({ url, connections, seconds, headers }: LoadOptions): Promise<LoadResult> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`]
  for (const [name, value] of Object.entries(headers ?? {})) args.push('-H', `${name}: ${value}`)
  const { stdout } = await promisify(execFile)('wrk', [...args, url])
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1]
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout)
  return {
    requestsPerSecond: Number(rate ?? Number.NaN),
    requests: Number(/(\d+) requests in/.exec(stdout)?.[1] ?? Number.NaN),
    failures: Number(bad ?? 0) + (errors ?? []).slice(1).reduce((sum, n) => sum + Number(n), 0),
  }
}

async function withAutocannon({ url, connections, seconds, headers }: LoadOptions): Promise<LoadResult> {
  const result = await autocannon({ url, connections, duration: seconds, ...(headers && { headers }) })
  return {
    requestsPerSecond: result.requests.average,
    requests: result.requests.total,
    failures: result.non2xx + result.errors + result.timeouts,
  }
}

function has(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
