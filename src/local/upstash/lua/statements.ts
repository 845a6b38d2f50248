import { type Box, type Expression, type Frame, valuesOf } from './expressions.ts'
import { isTrue, type Runtime, toNumber } from './runtime.ts'
import type { LuaValue } from './values.ts'

/** What `break` leaves behind. */
export const BREAK: unique symbol = Symbol('break')

/** What a statement leaves behind: nothing, a `break`, or the values of a `return`. */
export type Signal = undefined | typeof BREAK | LuaValue[]

/** A compiled statement. */
export type Statement = (frame: Frame) => Signal

/** The values a function body ended with. */
export function returned(signal: Signal): LuaValue[] {
  return Array.isArray(signal) ? signal : []
}

/** Statements one after the other. */
export function sequence(statements: readonly Statement[]): Statement {
  const [only] = statements
  if (statements.length === 1 && only) return only
  return (frame) => {
    for (const statement of statements) {
      const signal = statement(frame)
      if (signal !== undefined) return signal
    }
    return undefined
  }
}

/** `if … elseif … else … end`. */
export function conditional(
  branches: readonly (readonly [Expression, Statement])[],
  otherwise: Statement | undefined,
): Statement {
  return (frame) => {
    for (const [condition, body] of branches) if (isTrue(condition.one(frame))) return body(frame)
    return otherwise?.(frame)
  }
}

/** `while … do … end`. */
export function whileLoop(runtime: Runtime, condition: Expression, body: Statement): Statement {
  return (frame) => {
    while (isTrue(condition.one(frame))) {
      runtime.charge()
      const signal = body(frame)
      if (signal === BREAK) break
      if (signal) return signal
    }
    return undefined
  }
}

/** `repeat … until …`. */
export function repeatLoop(runtime: Runtime, body: Statement, condition: Expression): Statement {
  return (frame) => {
    do {
      runtime.charge()
      const signal = body(frame)
      if (signal === BREAK) break
      if (signal) return signal
    } while (!isTrue(condition.one(frame)))
    return undefined
  }
}

/** `for i = start, limit, step do … end`. */
export function numericFor(
  runtime: Runtime,
  slot: number,
  start: Expression,
  limit: Expression,
  step: Expression,
  body: Statement,
  line: number,
): Statement {
  const number = (value: LuaValue, what: string): number => {
    const converted = toNumber(value)
    if (converted === undefined) throw runtime.error(`'for' ${what} must be a number`, line)
    return converted
  }
  return (frame) => {
    const first = start.one(frame)
    const last = limit.one(frame)
    const by = step.one(frame)
    let i = number(first, 'initial value')
    const end = number(last, 'limit')
    const increment = number(by, 'step')
    for (; increment > 0 ? i <= end : i >= end; i += increment) {
      runtime.charge()
      frame.slots[slot] = { v: i }
      const signal = body(frame)
      if (signal === BREAK) break
      if (signal) return signal
    }
    return undefined
  }
}

/** `for a, b in … do … end`. */
export function genericFor(
  runtime: Runtime,
  slots: readonly number[],
  list: readonly Expression[],
  body: Statement,
  line: number,
): Statement {
  const values = valuesOf(list)
  return (frame) => {
    const [iterator, state, start] = values(frame)
    let control = start
    for (;;) {
      const next = runtime.call(iterator, [state, control], line)
      control = next[0]
      if (control === undefined) return undefined
      for (let i = 0; i < slots.length; i++) frame.slots[slots[i] as number] = { v: next[i] }
      const signal = body(frame)
      if (signal === BREAK) return undefined
      if (signal) return signal
    }
  }
}

/** `local a, b = …`. */
export function declareLocals(slots: readonly number[], list: readonly Expression[]): Statement {
  const values = valuesOf(list)
  const [slot] = slots
  const [only] = list
  if (slots.length === 1 && list.length === 1 && slot !== undefined && only) {
    return (frame) => {
      frame.slots[slot] = { v: only.one(frame) }
      return undefined
    }
  }
  return (frame) => {
    const all = values(frame)
    for (let i = 0; i < slots.length; i++) frame.slots[slots[i] as number] = { v: all[i] }
    return undefined
  }
}

/** `local function f … end`. */
export function declareFunction(slot: number, body: Expression): Statement {
  return (frame) => {
    // The box is there first, so that the function can call itself.
    const box: Box = { v: undefined }
    frame.slots[slot] = box
    box.v = body.one(frame)
    return undefined
  }
}

/** `a, b = …`: everything is evaluated before anything is assigned. */
export function assign(targets: readonly Expression[], list: readonly Expression[]): Statement {
  const values = valuesOf(list)
  return (frame) => {
    const places = targets.map((target) => target.target?.(frame))
    const all = values(frame)
    for (let i = places.length - 1; i >= 0; i--) places[i]?.(all[i])
    return undefined
  }
}
