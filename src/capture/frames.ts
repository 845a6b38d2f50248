import { parseStack } from '../core/stack.ts'
import type { Frame } from './client.ts'

/** What is not the app's own: the runtime, and packages where they are not bundled. */
const FOREIGN = /^(?:node|cloudflare):|node_modules\//

/**
 * A stack as Workers write it, the innermost call last. Scripts stand in a root of their own: `index.js` is `/index.js` beside,
 * as source maps name it.
 */
export function readFrames(stack: string): Frame[] {
  return parseStack(stack).map((frame) => {
    const { filename } = frame
    const bare = /^[\w@]/.test(filename) && !/^[\w+.-]+:/.test(filename)
    return { ...frame, ...(bare && { abs_path: `/${filename}` }), in_app: !FOREIGN.test(filename) }
  })
}
