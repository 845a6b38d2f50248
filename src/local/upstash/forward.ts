import { sha1 } from './lua/redis-library.ts'
import { CommandError, type Reply } from './reply.ts'
import { RespClient } from './resp.ts'
import { readShebang } from './shebang.ts'
import { ABORTED, type Backend, ServerUnavailable } from './store.ts'

/**
 * Forwards commands to a real Redis. Scripts whose first line carries Upstash's own flag are sent without it,
 * under another SHA-1 therefore; what clients ask for is the SHA-1 of the text they know.
 */
export class ForwardingBackend implements Backend {
  readonly #client: RespClient
  /** SHA-1 of the script as clients know it → SHA-1 of what the server was sent. */
  readonly #portable = new Map<string, string>()

  constructor(url: string) {
    this.#client = new RespClient(url)
  }

  async execute(commands: readonly string[][], atomic: boolean): Promise<Reply[]> {
    const sent: string[][] = []
    const restore: ((reply: Reply) => Reply)[] = []
    for (const words of commands) {
      const translated = this.#translate(words)
      sent.push(translated.words)
      restore.push(translated.reply)
    }
    if (!atomic) return (await this.#send(sent)).map((reply, i) => restore[i]?.(reply) ?? reply)
    const replies = await this.#send([['MULTI'], ...sent, ['EXEC']])
    const results = replies.at(-1)
    if (results instanceof CommandError) throw new CommandError(ABORTED)
    return (results as Reply[]).map((reply, i) => restore[i]?.(reply) ?? reply)
  }

  async #send(commands: readonly string[][]): Promise<Reply[]> {
    try {
      return await this.#client.send(commands)
    } catch (cause) {
      throw new ServerUnavailable(cause)
    }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #translate(words: string[]): { words: string[]; reply: (reply: Reply) => Reply } {
    const same = (reply: Reply): Reply => reply
    const name = words[0]?.toUpperCase() ?? ''
    const subcommand = words[1]?.toUpperCase()
    const script =
      name === 'EVAL' || name === 'EVAL_RO' ? 1 : name === 'SCRIPT' && subcommand === 'LOAD' ? 2 : 0
    const source = words[script]
    if (script > 0 && source?.startsWith('#!')) {
      const portable = this.#portableSource(source)
      if (portable === source) return { words, reply: same }
      const known = sha1(source)
      const actual = sha1(portable)
      this.#portable.set(known, actual)
      const rename = (reply: Reply): Reply => (reply === actual ? known : renameError(reply, actual, known))
      return {
        words: words.with(script, portable),
        reply: script === 2 ? rename : (r) => renameError(r, actual, known),
      }
    }
    if ((name === 'EVALSHA' || name === 'EVALSHA_RO') && subcommand !== undefined) {
      const known = subcommand.toLowerCase()
      const actual = this.#portable.get(known)
      if (actual) return { words: words.with(1, actual), reply: (reply) => renameError(reply, actual, known) }
    }
    if (name === 'SCRIPT' && subcommand === 'EXISTS') {
      return { words: words.map((word) => this.#portable.get(word.toLowerCase()) ?? word), reply: same }
    }
    return { words, reply: same }
  }

  #portableSource(source: string): string {
    try {
      return readShebang(source).portable
    } catch {
      // Not understood here: the server says so in its own words.
      return source
    }
  }
}

/** Errors name the script by its SHA-1. */
function renameError(reply: Reply, actual: string, known: string): Reply {
  if (!(reply instanceof CommandError)) return reply
  return new CommandError(reply.message.replaceAll(actual, known))
}
