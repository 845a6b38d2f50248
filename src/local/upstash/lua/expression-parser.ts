import {
  type Box,
  binary,
  calling,
  callingMethod,
  constant,
  constructing,
  type Expression,
  indexing,
  unary,
} from './expressions.ts'
import type { Token } from './lexer.ts'
import type { Runtime } from './runtime.ts'
import { FunctionScope } from './scope.ts'
import { returned, type Statement } from './statements.ts'
import type { LuaTable, LuaValue } from './values.ts'
import { Words } from './words.ts'

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

/** Reads expressions and compiles them to closures. */
export abstract class ExpressionParser {
  protected readonly words: Words
  protected readonly runtime: Runtime
  protected readonly globals: LuaTable
  protected scope: FunctionScope = new FunctionScope(undefined, true)

  constructor(source: string, runtime: Runtime, globals: LuaTable) {
    this.words = new Words(source, runtime.chunk)
    this.runtime = runtime
    this.globals = globals
  }

  /** Reads statements up to the end of a block. */
  protected abstract block(): Statement

  protected expressions(): Expression[] {
    const list = [this.expression()]
    while (this.words.accept(',')) list.push(this.expression())
    return list
  }

  protected expression(strength = 0): Expression {
    this.words.enter()
    const { kind, line } = this.words.token
    let left: Expression
    if (kind === 'not' || kind === '-' || kind === '#') {
      this.words.skip()
      left = unary(this.runtime, kind, this.expression(UNARY_STRENGTH), line)
    } else left = this.#simple()
    for (;;) {
      const operator = this.words.token
      const [before, after] = BINARY[operator.kind] ?? [-1, -1]
      if (before <= strength) break
      this.words.skip()
      left = binary(this.runtime, operator.kind, left, this.expression(after), operator.line)
    }
    this.words.leave()
    return left
  }

  #simple(): Expression {
    const { kind, value, line } = this.words.token
    switch (kind) {
      case 'number':
      case 'string':
        this.words.skip()
        return constant(value)
      case 'nil':
        this.words.skip()
        return constant(undefined)
      case 'true':
      case 'false':
        this.words.skip()
        return constant(kind === 'true')
      case '...': {
        if (!this.scope.isVararg) throw this.words.fault("cannot use '...' outside a vararg function")
        this.words.skip()
        return { one: (frame) => frame.varargs[0], all: (frame) => [...frame.varargs] }
      }
      case '{':
        return this.#table()
      case 'function':
        this.words.skip()
        return this.functionBody(line, false)
      default:
        return this.suffixed()
    }
  }

  protected suffixed(): Expression {
    const { line } = this.words.token
    let expression: Expression
    if (this.words.token.kind === 'name') expression = this.variable(this.words.expect('name'))
    else if (this.words.accept('(')) {
      const inner = this.expression()
      this.words.expectEnd(')', '(', line)
      // Parentheses cut a list of values to one, and are nothing to assign to.
      expression = { one: inner.one, ...(inner.name !== undefined && { name: inner.name }) }
    } else throw this.words.fault('unexpected symbol')
    for (;;) {
      const token = this.words.token
      switch (token.kind) {
        case '.': {
          this.words.skip()
          const field = this.words.expect('name').text
          expression = indexing(this.runtime, expression, constant(field), token.line, `field '${field}'`)
          break
        }
        case '[': {
          this.words.skip()
          const literal = this.words.token.kind === 'string' ? String(this.words.token.value) : '?'
          const key = this.expression()
          this.words.expect(']')
          expression = indexing(this.runtime, expression, key, token.line, `field '${literal}'`)
          break
        }
        case ':': {
          this.words.skip()
          const method = this.words.expect('name').text
          expression = callingMethod(this.runtime, expression, method, this.#arguments(), token.line)
          break
        }
        case '(':
        case 'string':
        case '{':
          if (token.kind === '(' && token.line !== this.words.previous.line) {
            throw this.words.fault('ambiguous syntax (function call x new statement)')
          }
          expression = calling(this.runtime, expression, this.#arguments(), token.line)
          break
        default:
          return expression
      }
    }
  }

  #arguments(): Expression[] {
    const { kind, value, line } = this.words.token
    if (kind === 'string') {
      this.words.skip()
      return [constant(value)]
    }
    if (kind === '{') return [this.#table()]
    if (kind !== '(') throw this.words.fault('function arguments expected')
    this.words.skip()
    const list = this.words.token.kind === ')' ? [] : this.expressions()
    this.words.expectEnd(')', '(', line)
    return list
  }

  #table(): Expression {
    const { line } = this.words.expect('{')
    const items: Expression[] = []
    const fields: [Expression, Expression][] = []
    while (this.words.token.kind !== '}') {
      if (this.words.accept('[')) {
        const key = this.expression()
        this.words.expect(']')
        this.words.expect('=')
        fields.push([key, this.expression()])
      } else if (this.words.token.kind === 'name' && this.words.peek().kind === '=') {
        const name = this.words.expect('name').text
        this.words.skip()
        fields.push([constant(name), this.expression()])
      } else items.push(this.expression())
      if (!this.words.accept(',') && !this.words.accept(';')) break
    }
    this.words.expectEnd('}', '{', line)
    return constructing(this.runtime, items, fields, line)
  }

  protected variable({ text: name, line }: Token): Expression {
    const place = this.scope.find(name)
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
    return indexing(this.runtime, constant(this.globals), constant(name), line, `global '${name}'`)
  }

  protected functionBody(line: number, method: boolean): Expression {
    const parameters = method ? ['self'] : []
    let isVararg = false
    this.words.expect('(')
    while (this.words.token.kind !== ')') {
      if (this.words.accept('...')) {
        isVararg = true
        break
      }
      if (!this.words.is('name')) throw this.words.fault("<name> or '...' expected")
      parameters.push(this.words.expect('name').text)
      if (!this.words.accept(',')) break
      if (this.words.is(')')) throw this.words.fault("<name> or '...' expected")
    }
    this.words.expect(')')
    const outer = this.scope
    const scope = new FunctionScope(outer, isVararg)
    this.scope = scope
    for (const parameter of parameters) scope.declare(parameter)
    const body = this.block()
    this.words.expectEnd('end', 'function', line)
    this.scope = outer
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
          return returned(body({ slots, upvalues, varargs: isVararg ? args.slice(count) : [] }))
        }
      },
    }
  }
}
