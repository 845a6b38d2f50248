import { CommandError, type Reply } from './reply.ts'
import { readSnapshot, writeSnapshot } from './snapshot.ts'
import { type Backend, Store } from './store.ts'

const SAVE_AFTER = 1000
const SWEEP_EVERY = 1000

/** The embedded store as a backend, kept in a file when there is one to keep it in. */
export class EmbeddedBackend implements Backend {
  readonly store: Store
  readonly #path: string | undefined
  readonly #sweeper: NodeJS.Timeout
  #saved: number
  #saver: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(path: string | undefined, clock: () => number) {
    this.store = new Store(clock)
    this.#path = path
    if (path !== undefined) readSnapshot(path, this.store.keys)
    this.#saved = this.store.keys.changes
    this.#sweeper = setInterval(() => this.store.sweep(), SWEEP_EVERY)
    this.#sweeper.unref()
  }

  async execute(commands: readonly string[][], atomic: boolean): Promise<Reply[]> {
    const replies = atomic ? this.store.runAll(commands) : commands.map((words) => this.store.run(words))
    this.#saveSoon()
    if (replies instanceof CommandError) throw replies
    return replies
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    clearTimeout(this.#saver)
    await this.#save()
  }

  #saveSoon(): void {
    if (this.#path === undefined || this.#saver || this.store.keys.changes === this.#saved) return
    this.#saver = setTimeout(() => {
      this.#saver = undefined
      this.#save().catch((error: unknown) => {
        console.error('The local Redis could not write its snapshot:', error)
        this.#saved = -1
      })
    }, SAVE_AFTER)
    this.#saver.unref()
  }

  #save(): Promise<void> {
    const path = this.#path
    if (path === undefined) return Promise.resolve()
    // One after the other: two writers would share the draft.
    this.#saving = this.#saving
      .catch(() => undefined)
      .then(async () => {
        const { keys } = this.store
        if (keys.changes === this.#saved) return
        this.#saved = keys.changes
        await writeSnapshot(path, keys)
      })
    return this.#saving
  }
}
