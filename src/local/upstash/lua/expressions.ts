import type { Arithmetic, Runtime } from './runtime.ts'
import { isTrue } from './runtime.ts'
import { LuaTable, type LuaValue } from './values.ts'

/** A variable. Each has a box of its own, so that closures share it. */
export interface Box {
  v: LuaValue
}

/** The variables of one function call. */
export interface Frame {
  readonly slots: Box[]
  readonly upvalues: readonly Box[]
  readonly varargs: readonly LuaValue[]
}

/** A compiled expression. */
export interface Expression {
  /** Its value; of several, the first. */
  readonly one: (frame: Frame) => LuaValue
  /** All its values: calls and `...` only. */
  readonly all?: (frame: Frame) => LuaValue[]
  /** Evaluates what is left of an assignment and returns how to assign. */
  readonly target?: (frame: Frame) => (value: LuaValue) => void
  /** How an error message calls it, such as `local 'x'`. */
  readonly name?: string
  readonly isCall?: boolean
}

/** A literal. */
export function constant(value: LuaValue): Expression {
  return { one: () => value }
}

/** All values of a list of expressions: the last one may give several. */
export function valuesOf(list: readonly Expression[]): (frame: Frame) => LuaValue[] {
  const last = list.at(-1)
  const ones = list.map(({ one }) => one)
  if (last?.all === undefined) {
    return (frame) => {
      const values: LuaValue[] = []
      for (const one of ones) values.push(one(frame))
      return values
    }
  }
  const { all } = last
  const head = ones.slice(0, -1)
  return (frame) => {
    const values: LuaValue[] = []
    for (const one of head) values.push(one(frame))
    for (const value of all(frame)) values.push(value)
    return values
  }
}

/** `object[key]`. */
export function indexing(
  runtime: Runtime,
  object: Expression,
  key: Expression,
  line: number,
  name: string,
): Expression {
  return {
    name,
    one: (frame) => {
      const table = object.one(frame)
      return runtime.index(table, key.one(frame), line, object.name)
    },
    target: (frame) => {
      const table = object.one(frame)
      const at = key.one(frame)
      return (value) => runtime.setIndex(table, at, value, line, object.name)
    },
  }
}

/** `callee(args)`. */
export function calling(runtime: Runtime, callee: Expression, args: Expression[], line: number): Expression {
  const values = valuesOf(args)
  const all = (frame: Frame): LuaValue[] => {
    const target = callee.one(frame)
    return runtime.call(target, values(frame), line, callee.name)
  }
  return { isCall: true, all, one: (frame) => all(frame)[0] }
}

/** `object:method(args)`. */
export function callingMethod(
  runtime: Runtime,
  object: Expression,
  method: string,
  args: Expression[],
  line: number,
): Expression {
  const values = valuesOf(args)
  const all = (frame: Frame): LuaValue[] => {
    const self = object.one(frame)
    const target = runtime.index(self, method, line, object.name)
    return runtime.call(target, [self, ...values(frame)], line, `method '${method}'`)
  }
  return { isCall: true, all, one: (frame) => all(frame)[0] }
}

/** `{ … }`. */
export function constructing(
  runtime: Runtime,
  items: Expression[],
  fields: [Expression, Expression][],
  line: number,
): Expression {
  const values = valuesOf(items)
  return {
    one: (frame) => {
      const table = new LuaTable()
      for (const [key, value] of fields) {
        const at = key.one(frame)
        runtime.rawSet(table, at, value.one(frame), line)
      }
      const list = values(frame)
      // Items win over fields of the same key, as they are stored last.
      for (let i = 0; i < list.length; i++) if (i < table.array.length) table.array[i] = list[i]
      for (let i = table.array.length; i < list.length; i++) table.array.push(list[i])
      table.trim()
      return table
    },
  }
}

const ARITHMETIC: Readonly<Record<string, Arithmetic>> = {
  '+': '__add',
  '-': '__sub',
  '*': '__mul',
  '/': '__div',
  '%': '__mod',
  '^': '__pow',
}

/** A binary operation. */
export function binary(
  runtime: Runtime,
  symbol: string,
  left: Expression,
  right: Expression,
  line: number,
): Expression {
  const a = left.one
  const b = right.one
  const operation = ARITHMETIC[symbol]
  if (operation !== undefined) {
    return {
      one: (frame) => {
        const x = a(frame)
        return runtime.arithmetic(operation, x, b(frame), line, left.name, right.name)
      },
    }
  }
  switch (symbol) {
    case 'and':
      return {
        one: (frame) => {
          const x = a(frame)
          return isTrue(x) ? b(frame) : x
        },
      }
    case 'or':
      return {
        one: (frame) => {
          const x = a(frame)
          return isTrue(x) ? x : b(frame)
        },
      }
    case '..':
      return {
        one: (frame) => {
          const x = a(frame)
          return runtime.concat(x, b(frame), line, left.name, right.name)
        },
      }
    case '==':
      return { one: (frame) => runtime.equal(a(frame), b(frame), line) }
    case '~=':
      return { one: (frame) => !runtime.equal(a(frame), b(frame), line) }
    case '<':
      return { one: (frame) => runtime.less(a(frame), b(frame), line) }
    case '<=':
      return { one: (frame) => runtime.lessOrEqual(a(frame), b(frame), line) }
    case '>':
      return {
        one: (frame) => {
          const x = a(frame)
          return runtime.less(b(frame), x, line)
        },
      }
    default:
      return {
        one: (frame) => {
          const x = a(frame)
          return runtime.lessOrEqual(b(frame), x, line)
        },
      }
  }
}

/** A unary operation. */
export function unary(runtime: Runtime, symbol: string, operand: Expression, line: number): Expression {
  const { one, name } = operand
  if (symbol === 'not') return { one: (frame) => !isTrue(one(frame)) }
  if (symbol === '#') return { one: (frame) => runtime.length(one(frame), line, name) }
  return {
    one: (frame) => {
      const value = one(frame)
      return runtime.arithmetic('__unm', value, value, line, name, name)
    },
  }
}
