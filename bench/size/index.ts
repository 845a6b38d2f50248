import type { Bench } from '../support/bench.ts'
import { installPeers } from '../support/peers.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import type { Bundle } from './bundle.ts'
import { type Limit, middlewareLimit, ownLimits, wholeLimits, workerLimit } from './limits.ts'
import { measure, measurePeers, type Sizes } from './measure.ts'

const kb = (bytes: number): number => round(bytes / 1000, 1)

/** One thing that has a limit. */
interface Held {
  readonly what: string
  readonly weighs: number
  readonly limit: Limit
}

/** What a worker weighs, each subpath by itself, and what got into it. */
export const bench: Bench = {
  about: 'Kilobytes gzipped of each subpath, the reference worker, the middleware and the peers.',
  options: '--gate',
  async run({ args, say }) {
    const gate = args.includes('--gate')
    const sizes = await measure()
    // The gate is part of `npm run check`: it needs nothing but what is installed.
    let peers: Bundle | undefined
    if (!gate) {
      installPeers(say)
      peers = await measurePeers()
    }
    const held = heldOf(sizes)
    const { subpaths, worker, middleware } = sizes
    const figures = {
      workerGzipKB: kb(worker.gzip),
      middlewareGzipKB: kb(middleware.gzip),
      ...(peers && { peersGzipKB: kb(peers.gzip) }),
      subpaths: Object.fromEntries(subpaths.map(({ name, own }) => [name, kb(own.gzip)])),
      withDependencies: Object.fromEntries(subpaths.map(({ name, whole }) => [name, kb(whole.gzip)])),
      overGoal: held.filter(({ weighs, limit }) => weighs > limit.goal).map(({ what }) => what),
    }
    return { figures, report: report(sizes, peers, held), ...(gate && { over: held.flatMap(overOf) }) }
  },
}

function heldOf({ subpaths, worker, middleware }: Sizes): Held[] {
  const held: Held[] = []
  for (const { name, own, whole } of subpaths) {
    const [ownLimit, wholeLimit] = [ownLimits[name], wholeLimits[name]]
    if (ownLimit) held.push({ what: `${name}, own code`, weighs: kb(own.gzip), limit: ownLimit })
    if (wholeLimit) held.push({ what: `${name}, whole`, weighs: kb(whole.gzip), limit: wholeLimit })
  }
  held.push({ what: 'reference worker', weighs: kb(worker.gzip), limit: workerLimit })
  held.push({ what: 'all middleware', weighs: kb(middleware.gzip), limit: middlewareLimit })
  return held
}

function overOf({ what, weighs, limit }: Held): string[] {
  const most = limit.gate ?? limit.goal
  return weighs > most ? [`${what} weighs ${weighs} KB gzipped; the gate is ${most} KB`] : []
}

/** The parts of a bundle, our own files together by their rooms. */
function rooms({ parts }: Bundle): (string | number)[][] {
  const byRoom = new Map<string, number>()
  for (const [part, bytes] of parts) {
    const room = /^src\/[\w-]+(?=\/)|^src|^worker/.exec(part)?.[0] ?? part
    byRoom.set(room, (byRoom.get(room) ?? 0) + bytes)
  }
  const whole = parts.reduce((sum, [, bytes]) => sum + bytes, 0)
  return [...byRoom]
    .sort((a, b) => b[1] - a[1])
    .map(([room, bytes]) => [room, kb(bytes), `${round((100 * bytes) / whole, 1)} %`])
}

function report({ subpaths, worker, middleware }: Sizes, peers: Bundle | undefined, held: Held[]): string {
  const row = (name: string, { gzip, brotli, parts }: Bundle): (string | number)[] => [
    name,
    kb(gzip),
    kb(brotli),
    parts
      .slice(0, 5)
      .map(([part, bytes]) => `${part} ${kb(bytes)}`)
      .join(', '),
  ]
  return [
    'Minified for workerd, in KB of 1,000 bytes. What is inside is counted before compression.',
    '',
    table(
      ['bundle', 'gzip', 'brotli', 'largest parts, minified'],
      [
        row('reference worker', worker),
        row('all middleware, without the database', middleware),
        ...(peers ? [row('peers', peers)] : []),
      ],
    ),
    '',
    'What the reference worker is made of, in KB minified; its own code by room.',
    '',
    table(['package or room', 'minified KB', 'share'], rooms(worker)),
    '',
    table(
      ['subpath', 'own gzip', 'own brotli', 'whole gzip', 'brought along, minified'],
      subpaths.map(({ name, own, whole }) => [
        name,
        kb(own.gzip),
        kb(own.brotli),
        kb(whole.gzip),
        whole.parts
          .filter(([part]) => !part.startsWith('src/'))
          .map(([part, bytes]) => `${part} ${kb(bytes)}`)
          .join(', '),
      ]),
    ),
    '',
    table(
      ['held to', 'weighs', 'goal', 'gate', ''],
      held.map(({ what, weighs, limit }) => [
        what,
        weighs,
        limit.goal,
        limit.gate ?? limit.goal,
        weighs > limit.goal ? 'over its goal' : '',
      ]),
    ),
  ].join('\n')
}
