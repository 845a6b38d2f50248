import { stripVTControlCharacters } from 'node:util'

/** What wrangler says about itself rather than about the worker. */
const NOISE: readonly RegExp[] = [
  /^\s*$/,
  /^\s*[─━-]{5,}\s*$/,
  /⛅️? ?wrangler/,
  /^Cloudflare collects anonymous telemetry/,
  /^Using vars defined in |^Using secrets defined in |^Loaded .*\.env/,
  /^Your Worker (?:and resources are simulated locally|has access to the following bindings)/,
  /^Binding\s+Resource\s+Mode/,
  /^env\.\w+ /,
  /^⎔ /,
  /^\[wrangler:info\]/,
  /^\[mf:/,
  /Unable to fetch the `Request\.cf` object/,
  /The latest compatibility date supported by the installed Cloudflare Workers Runtime is/,
  /^╭|^│|^╰/,
  /^\s*(?:\[b\] open|\[d\] open|\[e\] open|\[c\] clear|\[x\] to exit)/,
  // The local stack fires them itself.
  /Scheduled Workers are not automatically triggered during local development/,
  /^\s+To manually trigger a scheduled event, run:|^\s+curl "http:.*\/scheduled/,
  /^\s+For more details, see https:.*test-cron-triggers-locally/,
  /update available|^Logs were written to/,
]

/**
 * The lines of wrangler's output that are about the worker: its own logs, and errors. Without colours.
 */
export function workerLines(chunk: string, partial: string): { lines: string[]; partial: string } {
  const parts = (partial + chunk).split(/\r?\n/)
  const rest = parts.pop() ?? ''
  const lines = parts.map((line) => stripVTControlCharacters(line)).filter((line) => !isNoise(line))
  return { lines, partial: rest }
}

/** Whether a line says nothing about the worker. */
export function isNoise(line: string): boolean {
  return NOISE.some((noise) => noise.test(line))
}
