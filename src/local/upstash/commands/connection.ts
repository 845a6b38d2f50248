import { type Reply, Status, wrongArity } from '../reply.ts'
import { type CommandTable, reads } from './types.ts'

/** Commands on the connection and the server. */
export const connection: CommandTable = {
  ping: reads(-1, (_, args): Reply => {
    if (args.length > 1) throw wrongArity('ping')
    return args[0] ?? new Status('PONG')
  }),
  echo: reads(2, (_, [text]) => text as string),
  time: reads(1, (keys) => [String(Math.floor(keys.now / 1000)), String(Math.floor(keys.now % 1000) * 1000)]),
}
