import { parseStack } from '../core/stack.ts'
import type { ExceptionValue } from './client.ts'

/** A script's debug id, as an event names it (`debug_meta.images`). */
export interface DebugImage {
  readonly type: 'sourcemap'
  readonly code_file: string
  readonly debug_id: string
}

type Register = { readonly _sentryDebugIds?: Readonly<Record<string, string>> }

/** Some readers of stacks leave the scheme away. */
const plain = (file: string): string => file.replace(/^file:\/\//, '')

let known = -1
let byFile: Record<string, string> = {}

/**
 * The debug ids of this isolate's scripts by their addresses. Each script that was given one left it on the global object
 * when it was loaded, under the stack of that moment.
 */
function ownIds(): Readonly<Record<string, string>> {
  const register = Object.entries((globalThis as Register)._sentryDebugIds ?? {})
  if (register.length !== known) {
    known = register.length
    byFile = {}
    for (const [stack, id] of register) {
      const file = parseStack(stack).at(-1)?.filename
      if (file !== undefined) byFile[plain(file)] = id
    }
  }
  return byFile
}

/** The images of the scripts that the stacks run through, for those that have a debug id. */
export function debugImages(
  values: readonly ExceptionValue[],
  ids: Readonly<Record<string, string>> = ownIds(),
): DebugImage[] {
  const images = new Map<string, DebugImage>()
  const idOf = (file: string | undefined): string | undefined =>
    file !== undefined && Object.hasOwn(ids, plain(file)) ? ids[plain(file)] : undefined
  for (const { stacktrace } of values) {
    for (const { filename, abs_path } of stacktrace?.frames ?? []) {
      // By the name that the frame goes by: `index.js` stands as `/index.js` beside.
      const file = abs_path ?? filename
      const id = idOf(filename) ?? idOf(file)
      if (file !== undefined && id !== undefined)
        images.set(file, { type: 'sourcemap', code_file: file, debug_id: id })
    }
  }
  return [...images.values()]
}
