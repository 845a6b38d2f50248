import { type CommandTable, reads, writes } from './commands/types.ts'
import { Interpreter } from './lua/interpreter.ts'
import { fromLua, sha1 } from './lua/redis-library.ts'
import { LuaError, type LuaFunction, LuaTable } from './lua/values.ts'
import { parseInt64 } from './numbers.ts'
import { CommandError, ERRORS, OK, type Reply, wrongArity } from './reply.ts'
import { readShebang } from './shebang.ts'

// Redis would keep running a script for five seconds before it answers BUSY to others; here nobody could say
// SCRIPT KILL, so a script ends by itself. The steps take about one second.
const BUDGET = { steps: 20_000_000, time: 5000 }

/** Runs a command on behalf of a script. */
export type NestedCall = (command: string[], readOnly: boolean) => Reply

interface Script {
  readonly run: LuaFunction
  readonly readOnly: boolean
}

/** EVAL and its family. */
export class Scripting {
  readonly commands: CommandTable
  readonly #scripts = new Map<string, Script>()
  readonly #interpreter: Interpreter
  #readOnly = false

  constructor(call: NestedCall) {
    this.#interpreter = new Interpreter((command) => call(command, this.#readOnly), BUDGET)
    const evaluate = (readOnly: boolean) => (_: unknown, args: string[]) => {
      const source = args[0] as string
      const sha = sha1(source)
      const { keys, rest } = keysAndArguments(args)
      return this.#run(this.#scripts.get(sha) ?? this.#load(sha, source), sha, keys, rest, readOnly)
    }
    const evaluateSha = (readOnly: boolean) => (_: unknown, args: string[]) => {
      const sha = (args[0] as string).toLowerCase()
      const { keys, rest } = keysAndArguments(args)
      const script = this.#scripts.get(sha)
      if (!script) throw new CommandError('NOSCRIPT No matching script. Please use EVAL.')
      return this.#run(script, sha, keys, rest, readOnly)
    }
    this.commands = {
      eval: writes(-3, evaluate(false)),
      evalsha: writes(-3, evaluateSha(false)),
      eval_ro: reads(-3, evaluate(true)),
      evalsha_ro: reads(-3, evaluateSha(true)),
      script: reads(-2, (_, args) => this.#script(args)),
    }
  }

  #script([word, ...args]: string[]): Reply {
    const name = (word as string).toLowerCase()
    switch (name) {
      case 'load': {
        if (args.length !== 1) throw wrongArity('script|load')
        const source = args[0] as string
        const sha = sha1(source)
        if (!this.#scripts.has(sha)) this.#load(sha, source)
        return sha
      }
      case 'exists':
        if (args.length === 0) throw wrongArity('script|exists')
        return args.map((sha) => (this.#scripts.has(sha.toLowerCase()) ? 1 : 0))
      case 'flush':
        if (args.length > 1 || (args[0] !== undefined && !/^a?sync$/i.test(args[0]))) {
          throw new CommandError('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
        }
        this.#scripts.clear()
        return OK
      case 'kill':
        throw new CommandError('NOTBUSY No scripts in execution right now.')
      default:
        throw new CommandError(`ERR unknown subcommand '${word}'. Try SCRIPT HELP.`)
    }
  }

  #load(sha: string, source: string): Script {
    const { body, readOnly } = readShebang(source)
    try {
      const script = { run: this.#interpreter.compile(body), readOnly }
      this.#scripts.set(sha, script)
      return script
    } catch (error) {
      if (!(error instanceof LuaError)) throw error
      throw new CommandError(`ERR Error compiling script (new function): ${String(error.value)}`)
    }
  }

  #run(script: Script, sha: string, keys: string[], args: string[], readOnly: boolean): Reply {
    this.#readOnly = readOnly || script.readOnly
    const outcome = this.#interpreter.run(script.run, keys, args)
    if (outcome.kind === 'value') {
      const reply = fromLua(outcome.value)
      if (reply instanceof CommandError) throw reply
      return reply
    }
    const where = `script: ${sha}, on @user_script:${outcome.line}.`
    if (outcome.kind === 'stopped') {
      throw new CommandError(`ERR Script ran for too long and was stopped. ${where}`)
    }
    const { raised } = outcome
    const message = raised instanceof LuaTable ? raised.get('err') : undefined
    throw new CommandError(
      `${typeof message === 'string' ? message : `ERR ${outcome.text}`} ${where}`.replace(/[\r\n]/g, ' '),
    )
  }
}

function keysAndArguments(args: string[]): { keys: string[]; rest: string[] } {
  const count = parseInt64(args[1] as string)
  if (count === undefined) throw new CommandError(ERRORS.notInteger)
  if (count > args.length - 2)
    throw new CommandError("ERR Number of keys can't be greater than number of args")
  if (count < 0n) throw new CommandError("ERR Number of keys can't be negative")
  const end = 2 + Number(count)
  return { keys: args.slice(2, end), rest: args.slice(end) }
}
