import {
  type Box,
  binary,
  calling,
  callingMethod,
  constant,
  constructing,
  type Expression,
  type Frame,
  indexing,
  unary,
  valuesOf,
} from './expressions.ts'
import { syntaxError, type Token, tokenize } from './lexer.ts'
import { isTrue, type Runtime, toNumber } from './runtime.ts'
import { FunctionScope } from './scope.ts'
import type { LuaError, LuaFunction, LuaTable, LuaValue } from './values.ts'

const BREAK: unique symbol = Symbol('break')

/** What a statement leaves behind: nothing, a `break`, or the values of a `return`. */
type Signal = undefined | typeof BREAK | LuaValue[]
type Statement = (frame: Frame) => Signal

/** Binding strengths, left and right. */
const BINARY: Readonly<Record<string, readonly [number, number]>> = {
  or: [1, 1],
  and: [2, 2],
  '<': [3, 3],
  '>': [3, 3],
  '<=': [3, 3],
  '>=': [3, 3],
  '~=': [3, 3],
  '==': [3, 3],
  '..': [5, 4],
  '+': [6, 6],
  '-': [6, 6],
  '*': [7, 7],
  '/': [7, 7],
  '%': [7, 7],
  '^': [10, 9],
}
const UNARY_STRENGTH = 8
const MAX_NESTING = 190

/** Compiles a chunk of Lua 5.1 to a function. Throws {@link LuaError} with the compiler's message. */
export function compile(source: string, chunk: string, runtime: Runtime, globals: LuaTable): LuaFunction {
  return new Compiler(source, chunk, runtime, globals).chunk()
}

class Compiler {
  readonly #tokens: Token[]
  readonly #name: string
  readonly #runtime: Runtime
  readonly #globals: LuaTable
  #at = 0
  #nesting = 0
  #scope: FunctionScope = new FunctionScope(undefined, true)

  constructor(source: string, name: string, runtime: Runtime, globals: LuaTable) {
    this.#tokens = tokenize(source, name)
    this.#name = name
    this.#runtime = runtime
    this.#globals = globals
  }

  chunk(): LuaFunction {
    const body = this.#block()
    if (this.#token.kind !== '<eof>') throw this.#expected('<eof>')
    return (varargs) => result(body({ slots: [], upvalues: [], varargs }))
  }

  get #token(): Token {
    return this.#tokens[this.#at] as Token
  }

  #fault(message: string): LuaError {
    return syntaxError(this.#name, this.#token.line, message, this.#token.text)
  }

  #expected(kind: string): LuaError {
    return this.#fault(`'${kind}' expected`)
  }

  #accept(kind: string): boolean {
    if (this.#token.kind !== kind) return false
    this.#at++
    return true
  }

  #expect(kind: string): Token {
    const token = this.#token
    if (token.kind !== kind) throw kind === 'name' ? this.#fault('<name> expected') : this.#expected(kind)
    this.#at++
    return token
  }

  /** The end of a construct that began on `line`. */
  #expectEnd(kind: string, opening: string, line: number): void {
    if (this.#token.kind !== kind && line !== this.#token.line) {
      throw this.#fault(`'${kind}' expected (to close '${opening}' at line ${line})`)
    }
    this.#expect(kind)
  }

  #block(): Statement {
    if (++this.#nesting > MAX_NESTING) throw this.#fault('chunk has too many syntax levels')
    const mark = this.#scope.open()
    const statements: Statement[] = []
    while (!/^(?:end|else|elseif|until|<eof>)$/.test(this.#token.kind)) {
      const { kind } = this.#token
      const statement = this.#statement()
      if (statement) statements.push(statement)
      this.#accept(';')
      if (kind === 'return' || kind === 'break') break
    }
    this.#scope.close(mark)
    this.#nesting--
    return sequence(statements)
  }

  #statement(): Statement | undefined {
    const { kind, line } = this.#token
    switch (kind) {
      case 'if':
        return this.#if(line)
      case 'while': {
        this.#at++
        const condition = this.#expression()
        this.#expect('do')
        const body = this.#loopBody()
        this.#expectEnd('end', 'while', line)
        return this.#while(condition, body)
      }
      case 'do': {
        this.#at++
        const body = this.#block()
        this.#expectEnd('end', 'do', line)
        return body
      }
      case 'for':
        return this.#for(line)
      case 'repeat':
        return this.#repeat(line)
      case 'function':
        return this.#functionStatement(line)
      case 'local':
        this.#at++
        return this.#accept('function') ? this.#localFunction(line) : this.#local()
      case 'return':
        return this.#return()
      case 'break':
        this.#at++
        if (this.#scope.loops === 0) throw this.#fault('no loop to break')
        return () => BREAK
      default:
        return this.#expressionStatement()
    }
  }

  #if(line: number): Statement {
    const branches: [Expression, Statement][] = []
    let otherwise: Statement | undefined
    do {
      this.#at++
      const condition = this.#expression()
      this.#expect('then')
      branches.push([condition, this.#block()])
    } while (this.#token.kind === 'elseif')
    if (this.#accept('else')) otherwise = this.#block()
    this.#expectEnd('end', 'if', line)
    return (frame) => {
      for (const [condition, body] of branches) if (isTrue(condition.one(frame))) return body(frame)
      return otherwise?.(frame)
    }
  }

  #loopBody(): Statement {
    this.#scope.loops++
    const body = this.#block()
    this.#scope.loops--
    return body
  }

  #while(condition: Expression, body: Statement): Statement {
    const runtime = this.#runtime
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

  #repeat(line: number): Statement {
    this.#at++
    // The condition sees the body's names, so the block is opened here.
    const mark = this.#scope.open()
    this.#scope.loops++
    const statements: Statement[] = []
    while (!/^(?:end|else|elseif|until|<eof>)$/.test(this.#token.kind)) {
      const statement = this.#statement()
      if (statement) statements.push(statement)
      this.#accept(';')
    }
    this.#scope.loops--
    this.#expectEnd('until', 'repeat', line)
    const condition = this.#expression()
    this.#scope.close(mark)
    const body = sequence(statements)
    const runtime = this.#runtime
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

  #for(line: number): Statement {
    this.#at++
    const first = this.#expect('name').text
    if (this.#token.kind === '=') return this.#numericFor(first, line)
    if (this.#token.kind !== ',' && this.#token.kind !== 'in') throw this.#fault("'=' or 'in' expected")
    const names = [first]
    while (this.#accept(',')) names.push(this.#expect('name').text)
    this.#expect('in')
    const values = valuesOf(this.#expressions())
    this.#expect('do')
    const mark = this.#scope.open()
    const slots = names.map((name) => this.#scope.declare(name))
    const body = this.#loopBody()
    this.#scope.close(mark)
    this.#expectEnd('end', 'for', line)
    const runtime = this.#runtime
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

  #numericFor(name: string, line: number): Statement {
    this.#at++
    const start = this.#expression()
    this.#expect(',')
    const limit = this.#expression()
    const step = this.#accept(',') ? this.#expression() : constant(1)
    this.#expect('do')
    const mark = this.#scope.open()
    const slot = this.#scope.declare(name)
    const body = this.#loopBody()
    this.#scope.close(mark)
    this.#expectEnd('end', 'for', line)
    const runtime = this.#runtime
    const number = (value: LuaValue, what: string): number => {
      const converted = toNumber(value)
      if (converted === undefined) throw runtime.error(`'for' ${what} must be a number`, line)
      return converted
    }
    return (frame) => {
      const from = start.one(frame)
      const to = limit.one(frame)
      const by = step.one(frame)
      const end = number(to, 'limit')
      let i = number(from, 'initial value')
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

  #local(): Statement {
    const names = [this.#expect('name').text]
    while (this.#accept(',')) names.push(this.#expect('name').text)
    const list = this.#accept('=') ? this.#expressions() : []
    const slots = names.map((name) => this.#scope.declare(name))
    const values = valuesOf(list)
    const [slot] = slots as [number]
    const only = list[0]
    if (slots.length === 1 && list.length === 1 && only) {
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

  #localFunction(line: number): Statement {
    const slot = this.#scope.declare(this.#expect('name').text)
    const body = this.#functionBody(line, false)
    return (frame) => {
      // The box is there first, so that the function can call itself.
      const box: Box = { v: undefined }
      frame.slots[slot] = box
      box.v = body.one(frame)
      return undefined
    }
  }

  #functionStatement(line: number): Statement {
    this.#at++
    let target = this.#variable(this.#expect('name'))
    let method = false
    while (!method && (this.#token.kind === '.' || this.#token.kind === ':')) {
      method = this.#token.kind === ':'
      this.#at++
      const field = this.#expect('name').text
      target = indexing(this.#runtime, target, constant(field), line, `field '${field}'`)
    }
    const body = this.#functionBody(line, method)
    const { target: assign } = target
    return (frame) => {
      assign?.(frame)(body.one(frame))
      return undefined
    }
  }

  #return(): Statement {
    this.#at++
    const ends = /^(?:end|else|elseif|until|<eof>|;)$/.test(this.#token.kind)
    const values = valuesOf(ends ? [] : this.#expressions())
    return values
  }

  #expressionStatement(): Statement {
    const first = this.#suffixed()
    if (this.#token.kind !== '=' && this.#token.kind !== ',') {
      if (!first.isCall) throw first.target ? this.#expected('=') : this.#fault('unexpected symbol')
      return (frame) => {
        first.one(frame)
        return undefined
      }
    }
    const targets = [first]
    while (this.#accept(',')) targets.push(this.#suffixed())
    if (targets.some((target) => !target.target)) throw this.#fault('syntax error')
    this.#expect('=')
    const list = this.#expressions()
    const values = valuesOf(list)
    return (frame) => {
      const places = targets.map((target) => target.target?.(frame))
      const all = values(frame)
      for (let i = places.length - 1; i >= 0; i--) places[i]?.(all[i])
      return undefined
    }
  }

  #expressions(): Expression[] {
    const list = [this.#expression()]
    while (this.#accept(',')) list.push(this.#expression())
    return list
  }

  #expression(strength = 0): Expression {
    if (++this.#nesting > MAX_NESTING) throw this.#fault('chunk has too many syntax levels')
    const { kind, line } = this.#token
    let left: Expression
    if (kind === 'not' || kind === '-' || kind === '#') {
      this.#at++
      left = unary(this.#runtime, kind, this.#expression(UNARY_STRENGTH), line)
    } else left = this.#simple()
    for (;;) {
      const operator = this.#token
      const [before, after] = BINARY[operator.kind] ?? [-1, -1]
      if (before <= strength) break
      this.#at++
      left = binary(this.#runtime, operator.kind, left, this.#expression(after), operator.line)
    }
    this.#nesting--
    return left
  }

  #simple(): Expression {
    const { kind, value, line } = this.#token
    switch (kind) {
      case 'number':
      case 'string':
        this.#at++
        return constant(value)
      case 'nil':
        this.#at++
        return constant(undefined)
      case 'true':
      case 'false':
        this.#at++
        return constant(kind === 'true')
      case '...': {
        if (!this.#scope.isVararg) throw this.#fault("cannot use '...' outside a vararg function")
        this.#at++
        return { one: (frame) => frame.varargs[0], all: (frame) => [...frame.varargs] }
      }
      case '{':
        return this.#table()
      case 'function':
        this.#at++
        return this.#functionBody(line, false)
      default:
        return this.#suffixed()
    }
  }

  #suffixed(): Expression {
    const { line } = this.#token
    let expression: Expression
    if (this.#token.kind === 'name') expression = this.#variable(this.#expect('name'))
    else if (this.#accept('(')) {
      const inner = this.#expression()
      this.#expectEnd(')', '(', line)
      // Parentheses cut a list of values to one, and are nothing to assign to.
      expression = { one: inner.one, ...(inner.name !== undefined && { name: inner.name }) }
    } else throw this.#fault('unexpected symbol')
    for (;;) {
      const token = this.#token
      switch (token.kind) {
        case '.': {
          this.#at++
          const field = this.#expect('name').text
          expression = indexing(this.#runtime, expression, constant(field), token.line, `field '${field}'`)
          break
        }
        case '[': {
          this.#at++
          const literal = this.#token.kind === 'string' ? String(this.#token.value) : '?'
          const key = this.#expression()
          this.#expect(']')
          expression = indexing(this.#runtime, expression, key, token.line, `field '${literal}'`)
          break
        }
        case ':': {
          this.#at++
          const method = this.#expect('name').text
          expression = callingMethod(this.#runtime, expression, method, this.#arguments(), token.line)
          break
        }
        case '(':
        case 'string':
        case '{':
          if (token.kind === '(' && token.line !== (this.#tokens[this.#at - 1] as Token).line) {
            throw this.#fault('ambiguous syntax (function call x new statement)')
          }
          expression = calling(this.#runtime, expression, this.#arguments(), token.line)
          break
        default:
          return expression
      }
    }
  }

  #arguments(): Expression[] {
    const { kind, value, line } = this.#token
    if (kind === 'string') {
      this.#at++
      return [constant(value)]
    }
    if (kind === '{') return [this.#table()]
    if (kind !== '(') throw this.#fault('function arguments expected')
    this.#at++
    const list = this.#token.kind === ')' ? [] : this.#expressions()
    this.#expectEnd(')', '(', line)
    return list
  }

  #table(): Expression {
    const { line } = this.#expect('{')
    const items: Expression[] = []
    const fields: [Expression, Expression][] = []
    while (this.#token.kind !== '}') {
      if (this.#accept('[')) {
        const key = this.#expression()
        this.#expect(']')
        this.#expect('=')
        fields.push([key, this.#expression()])
      } else if (this.#token.kind === 'name' && this.#tokens[this.#at + 1]?.kind === '=') {
        const name = this.#expect('name').text
        this.#at++
        fields.push([constant(name), this.#expression()])
      } else items.push(this.#expression())
      if (!this.#accept(',') && !this.#accept(';')) break
    }
    this.#expectEnd('}', '{', line)
    return constructing(this.#runtime, items, fields, line)
  }

  #variable({ text: name, line }: Token): Expression {
    const place = this.#scope.find(name)
    if (place.kind === 'local') {
      const { slot } = place
      return {
        name: `local '${name}'`,
        one: (frame) => (frame.slots[slot] as Box).v,
        target: (frame) => (value) => {
          ;(frame.slots[slot] as Box).v = value
        },
      }
    }
    if (place.kind === 'upvalue') {
      const { index } = place
      return {
        name: `upvalue '${name}'`,
        one: (frame) => (frame.upvalues[index] as Box).v,
        target: (frame) => (value) => {
          ;(frame.upvalues[index] as Box).v = value
        },
      }
    }
    return indexing(this.#runtime, constant(this.#globals), constant(name), line, `global '${name}'`)
  }

  #functionBody(line: number, method: boolean): Expression {
    const parameters = method ? ['self'] : []
    let isVararg = false
    this.#expect('(')
    while (this.#token.kind !== ')') {
      if (this.#accept('...')) {
        isVararg = true
        break
      }
      if (this.#token.kind !== 'name') throw this.#fault("<name> or '...' expected")
      parameters.push(this.#expect('name').text)
      if (!this.#accept(',')) break
      if (this.#accept(')')) throw this.#fault("<name> or '...' expected")
    }
    this.#expect(')')
    const outer = this.#scope
    const scope = new FunctionScope(outer, isVararg)
    this.#scope = scope
    for (const parameter of parameters) scope.declare(parameter)
    const body = this.#block()
    this.#expectEnd('end', 'function', line)
    this.#scope = outer
    const count = parameters.length
    const { captures } = scope
    return {
      one: (frame) => {
        const upvalues = captures.map(
          ({ fromParentSlot, index }) => (fromParentSlot ? frame.slots[index] : frame.upvalues[index]) as Box,
        )
        return (args: LuaValue[]) => {
          const slots: Box[] = []
          for (let i = 0; i < count; i++) slots.push({ v: args[i] })
          return result(body({ slots, upvalues, varargs: isVararg ? args.slice(count) : [] }))
        }
      },
    }
  }
}

function result(signal: Signal): LuaValue[] {
  return Array.isArray(signal) ? signal : []
}

function sequence(statements: readonly Statement[]): Statement {
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
