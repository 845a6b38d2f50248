import process from 'node:process'
import type { WriteStream } from 'node:tty'
import type { Progress } from '../local/dev/index.ts'

/** What a person sees of `breakwater dev`. */
export interface Display {
  progress(this: void, progress: Progress): void
  ready(addresses: readonly (readonly [string, string])[], seconds: number): void
  log(line: string): void
  failed(why: string): void
  closing(): void
  close(): void
}

const NAMES: Record<Progress['part'], string> = {
  worker: 'Worker',
  console: 'Console',
  postgres: 'Postgres',
  neon: 'Neon',
  upstash: 'Upstash',
  sentry: 'Sentry',
  mail: 'Mailbox',
  migrations: 'Migrations',
}

/** A list that changes in place on a terminal; lines, one an event, on anything else. */
export function openDisplay(out: WriteStream | NodeJS.WriteStream): Display {
  return out.isTTY && process.env['TERM'] !== 'dumb' ? liveDisplay(out) : lineDisplay(out)
}

function lineDisplay(out: NodeJS.WritableStream): Display {
  const print = (line: string): void => void out.write(`${line}\n`)
  return {
    progress({ part, state, detail }) {
      if (state !== 'starting') print(`${NAMES[part]} ${state}${detail === undefined ? '' : ` (${detail})`}`)
    },
    ready(addresses, seconds) {
      for (const line of summary(addresses, seconds)) print(line)
    },
    log: print,
    failed: (why) => void process.stderr.write(`${why}\n`),
    closing: () => print('Stopping.'),
    close() {},
  }
}

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'
const MARKS = { ready: '\u001b[32m✓\u001b[0m', failed: '\u001b[31m✗\u001b[0m' }
const dim = (text: string): string => `\u001b[2m${text}\u001b[0m`

function liveDisplay(out: WriteStream | NodeJS.WriteStream): Display {
  const parts = new Map<Progress['part'], Progress>()
  let frame = 0
  let drawn = 0
  const erase = (): void => {
    if (drawn > 0) out.write(`\u001b[${drawn}A\u001b[J`)
    drawn = 0
  }
  const draw = (): void => {
    const columns = 'columns' in out && out.columns > 0 ? out.columns : 80
    const lines = [...parts.values()].map(({ part, state, detail = '' }) => {
      const mark = state === 'starting' ? dim(FRAMES[frame % FRAMES.length] ?? ' ') : MARKS[state]
      // A line that wraps would be two to erase.
      return `${mark} ${NAMES[part].padEnd(10)} ${dim(detail.slice(0, Math.max(0, columns - 14)))}\n`
    })
    erase()
    out.write(lines.join(''))
    drawn = lines.length
  }
  let timer: NodeJS.Timeout | undefined = setInterval(() => {
    frame++
    draw()
  }, 100)
  timer.unref()
  const finish = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  return {
    progress(progress) {
      parts.set(progress.part, progress)
      if (timer) draw()
    },
    ready(addresses, seconds) {
      finish()
      erase()
      out.write(`${summary(addresses, seconds).join('\n')}\n\n`)
    },
    log(line) {
      if (timer) erase()
      out.write(`${line}\n`)
      if (timer) draw()
    },
    failed: (why) => void process.stderr.write(`${MARKS.failed} ${why}\n`),
    closing() {
      finish()
      // Over the ^C that the terminal has shown.
      out.write('\r\u001b[KStopping.\n')
    },
    close: finish,
  }
}

function summary(addresses: readonly (readonly [string, string])[], seconds: number): string[] {
  return [
    `Ready in ${seconds.toFixed(1)} s. Ctrl-C stops everything.`,
    '',
    ...addresses.map(([name, url]) => `  ${name.padEnd(8)} ${url}`),
  ]
}
