/** One call of a stack. */
export interface StackFrame {
  /** Absent for calls without a name. */
  readonly function?: string
  readonly filename: string
  /** From 1. */
  readonly lineno?: number
  /** From 1. */
  readonly colno?: number
}

const MAX_FRAMES = 50
// V8: `    at async Type.method [as alias] (file:line:column)`, the parentheses only around named calls.
const V8 =
  /^\s*at (?:async )?(?:(.{1,300}?) \()?((?:[a-z][\w+.-]{1,20}:)?[^\s()][^()]{0,1000}?)(?::(\d{1,9}))?(?::(\d{1,9}))?\)?\s*$/i
// JavaScriptCore and SpiderMonkey: `method@file:line:column`.
const AT = /^(.{0,300}?)@((?:[a-z][\w+.-]{1,20}:)?\S{1,1000}?)(?::(\d{1,9}))?(?::(\d{1,9}))?$/i

/** Reads `error.stack`, whichever engine wrote it. The outermost call comes first, as error trackers have it. */
export function parseStack(stack: string): StackFrame[] {
  const frames: StackFrame[] = []
  for (const line of stack.slice(0, 65_536).split('\n')) {
    if (frames.length === MAX_FRAMES) break
    const match = V8.exec(line) ?? AT.exec(line)
    if (match === null) continue
    const [, name, filename = '', lineno, colno] = match
    // A line of the message, not of the stack.
    if (lineno === undefined && filename !== 'native' && !filename.includes('<anonymous>')) continue
    frames.push({
      filename,
      ...(name && name !== '<anonymous>' && { function: name }),
      ...(lineno !== undefined && { lineno: Number(lineno) }),
      ...(colno !== undefined && { colno: Number(colno) }),
    })
  }
  return frames.reverse()
}
