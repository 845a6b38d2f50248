import { spawn } from 'node:child_process'
import process from 'node:process'

/**
 * Reads the numbers of process groups from its standard input until that ends, which the kernel sees to however
 * the writer dies, and then ends those groups. A shell, because it costs a megabyte.
 */
const SCRIPT = `
groups=
while read -r group; do groups="$groups $group"; done
for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null; done
for _ in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && left=1; done
  [ -z "$left" ] && exit 0
  sleep 0.1
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
`

/** Ends process groups when this process dies without having done so. */
export interface Watchdog {
  /** Takes a group into its care. */
  watch(group: number): void
  /** Ends the watch; the groups are left as they are. */
  dismiss(): void
}

/** Starts a watchdog. On Windows there is none: the next run ends what was left behind. */
export function startWatchdog(): Watchdog {
  if (process.platform === 'win32') return { watch() {}, dismiss() {} }
  const child = spawn('/bin/sh', ['-c', SCRIPT], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    // Out of reach of Ctrl-C.
    detached: true,
  })
  child.on('error', () => {})
  child.unref()
  const { stdin } = child
  stdin.on('error', () => {})
  ;(stdin as unknown as { unref?(): void }).unref?.()
  return {
    watch: (group) => void stdin.write(`${group}\n`),
    dismiss: () => void child.kill('SIGKILL'),
  }
}
