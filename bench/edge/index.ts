import type { Bench } from '../support/bench.ts'
import { numbers } from '../support/flags.ts'
import { installPeers } from '../support/peers.ts'
import { interleave, type Measured, ratio } from '../support/rounds.ts'
import { round } from '../support/statistics.ts'
import { table } from '../support/table.ts'
import { serveWorkers } from '../support/workerd.ts'
import { alone, PARTS, peersCookie, stacks, subject, warmCookie } from './subjects.ts'

/** What the chain costs in CPU: beside bare Hono, beside the peers, and each middleware by itself. */
export const bench: Bench = {
  about: 'Requests per second of the whole chain beside bare Hono and the peers; each middleware alone.',
  options: '--rounds 7 --seconds 2 --connections 32',
  async run({ args, say }) {
    const options = numbers(args, { rounds: 7, seconds: 2, connections: 32 })
    installPeers(say)
    const served = await serveWorkers([...stacks, ...alone])
    try {
      const { ports } = served
      const subjects = [
        subject('bare', ports['bare']),
        subject('chain', ports['chain'], warmCookie),
        subject('peers', ports['peers'], peersCookie),
        ...['bare', ...PARTS].map((part, i) =>
          subject(`alone: ${part}`, ports[alone[i]?.name ?? ''], part === 'session' ? warmCookie : undefined),
        ),
      ]
      const measured = await interleave(subjects, { ...options, pid: served.pid }, say)
      return outcome(measured)
    } finally {
      await served.stop()
    }
  },
}

function outcome(measured: ReadonlyMap<string, Measured>) {
  const of = (name: string): Measured | undefined => measured.get(name)
  const rps = (name: string): number => Math.round(of(name)?.median ?? Number.NaN)
  const spreadOf = (name: string): number => round(of(name)?.spread ?? Number.NaN, 3)
  const floor = of('alone: bare')
  const cpu = (name: string): number => round(of(name)?.cpu ?? Number.NaN, 1)
  // Where the system does not tell CPU time: one thread serves them all, so it is the reciprocal of the rate.
  const microsecondsOf = (one: Measured | undefined): number =>
    one?.cpu ? one.cpu : 1e6 / (one?.median ?? Number.NaN)
  const microseconds = (one: Measured | undefined): number =>
    round(microsecondsOf(one) - microsecondsOf(floor), 1)
  const parts = Object.fromEntries(
    PARTS.map((part) => {
      const one = of(`alone: ${part}`)
      return [
        part,
        {
          rps: rps(`alone: ${part}`),
          ratio: round(ratio(one, floor)),
          microseconds: microseconds(one),
          spread: spreadOf(`alone: ${part}`),
        },
      ]
    }),
  )
  const figures = {
    bareRps: rps('bare'),
    chainRps: rps('chain'),
    peersRps: rps('peers'),
    ratioToBare: round(ratio(of('chain'), of('bare'))),
    ratioToPeers: round(ratio(of('chain'), of('peers'))),
    cpuMicroseconds: { bare: cpu('bare'), chain: cpu('chain'), peers: cpu('peers') },
    alone: parts,
    spread: { bare: spreadOf('bare'), chain: spreadOf('chain'), peers: spreadOf('peers') },
  }
  const report = [
    table(
      ['authenticated GET /me', 'requests/s', 'spread', 'µs CPU a request', 'to bare'],
      ['bare', 'chain', 'peers'].map((name) => [
        name,
        rps(name),
        spreadOf(name),
        cpu(name),
        round(ratio(of(name), of('bare'))),
      ]),
    ),
    '',
    `The chain serves ${figures.ratioToPeers} times as many requests as the peers.`,
    '',
    table(
      ['alone, over bare', 'requests/s', 'spread', 'to bare', 'µs CPU a request'],
      Object.entries(parts).map(([part, { rps, ratio, microseconds, spread }]) => [
        part,
        rps,
        spread,
        ratio,
        microseconds,
      ]),
    ),
  ].join('\n')
  return { figures, report }
}
