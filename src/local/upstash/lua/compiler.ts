import { ExpressionParser } from './expression-parser.ts'
import { constant, type Expression, indexing, valuesOf } from './expressions.ts'
import type { Runtime } from './runtime.ts'
import {
  assign,
  BREAK,
  conditional,
  declareFunction,
  declareLocals,
  genericFor,
  numericFor,
  repeatLoop,
  returned,
  type Statement,
  sequence,
  whileLoop,
} from './statements.ts'
import type { LuaFunction, LuaTable } from './values.ts'

/** Compiles a chunk of Lua 5.1 to a function. Throws LuaError with the compiler's message. */
export function compile(source: string, runtime: Runtime, globals: LuaTable): LuaFunction {
  return new Compiler(source, runtime, globals).chunk()
}

class Compiler extends ExpressionParser {
  chunk(): LuaFunction {
    const body = this.block()
    if (!this.words.is('<eof>')) throw this.words.expected('<eof>')
    return (varargs) => returned(body({ slots: [], upvalues: [], varargs }))
  }

  protected block(): Statement {
    this.words.enter()
    const mark = this.scope.open()
    const statements = this.#statements()
    this.scope.close(mark)
    this.words.leave()
    return sequence(statements)
  }

  #statements(): Statement[] {
    const statements: Statement[] = []
    while (!this.words.endsBlock()) {
      const { kind } = this.words.token
      statements.push(this.#statement())
      this.words.accept(';')
      if (kind === 'return' || kind === 'break') break
    }
    return statements
  }

  #statement(): Statement {
    const { kind, line } = this.words.token
    switch (kind) {
      case 'if':
        return this.#if(line)
      case 'while':
        return this.#while(line)
      case 'do': {
        this.words.skip()
        const body = this.block()
        this.words.expectEnd('end', 'do', line)
        return body
      }
      case 'for':
        return this.#for(line)
      case 'repeat':
        return this.#repeat(line)
      case 'function':
        return this.#function(line)
      case 'local':
        this.words.skip()
        return this.words.accept('function') ? this.#localFunction(line) : this.#local()
      case 'return':
        this.words.skip()
        return valuesOf(this.words.endsBlock() || this.words.is(';') ? [] : this.expressions())
      case 'break':
        this.words.skip()
        if (this.scope.loops === 0) throw this.words.fault('no loop to break')
        return () => BREAK
      default:
        return this.#callOrAssignment()
    }
  }

  #if(line: number): Statement {
    const branches: [Expression, Statement][] = []
    do {
      this.words.skip()
      const condition = this.expression()
      this.words.expect('then')
      branches.push([condition, this.block()])
    } while (this.words.is('elseif'))
    const otherwise = this.words.accept('else') ? this.block() : undefined
    this.words.expectEnd('end', 'if', line)
    return conditional(branches, otherwise)
  }

  /** The block of a loop, in which the given names are new. */
  #loopBody(names: readonly string[]): { slots: number[]; body: Statement } {
    const mark = this.scope.open()
    const slots = names.map((name) => this.scope.declare(name))
    this.scope.loops++
    const body = this.block()
    this.scope.loops--
    this.scope.close(mark)
    return { slots, body }
  }

  #while(line: number): Statement {
    this.words.skip()
    const condition = this.expression()
    this.words.expect('do')
    const { body } = this.#loopBody([])
    this.words.expectEnd('end', 'while', line)
    return whileLoop(this.runtime, condition, body)
  }

  #repeat(line: number): Statement {
    this.words.skip()
    // The condition sees the body's names, so the block is closed after it.
    const mark = this.scope.open()
    this.words.enter()
    this.scope.loops++
    const body = sequence(this.#statements())
    this.scope.loops--
    this.words.leave()
    this.words.expectEnd('until', 'repeat', line)
    const condition = this.expression()
    this.scope.close(mark)
    return repeatLoop(this.runtime, body, condition)
  }

  #for(line: number): Statement {
    this.words.skip()
    const names = [this.words.expect('name').text]
    if (this.words.accept('=')) {
      const start = this.expression()
      this.words.expect(',')
      const limit = this.expression()
      const step = this.words.accept(',') ? this.expression() : constant(1)
      this.words.expect('do')
      const { slots, body } = this.#loopBody(names)
      this.words.expectEnd('end', 'for', line)
      return numericFor(this.runtime, slots[0] as number, start, limit, step, body, line)
    }
    if (!this.words.is(',') && !this.words.is('in')) throw this.words.fault("'=' or 'in' expected")
    while (this.words.accept(',')) names.push(this.words.expect('name').text)
    this.words.expect('in')
    const list = this.expressions()
    this.words.expect('do')
    const { slots, body } = this.#loopBody(names)
    this.words.expectEnd('end', 'for', line)
    return genericFor(this.runtime, slots, list, body, line)
  }

  #local(): Statement {
    const names = [this.words.expect('name').text]
    while (this.words.accept(',')) names.push(this.words.expect('name').text)
    const list = this.words.accept('=') ? this.expressions() : []
    // Declared last: `local x = x` reads the outer one.
    return declareLocals(
      names.map((name) => this.scope.declare(name)),
      list,
    )
  }

  #localFunction(line: number): Statement {
    const slot = this.scope.declare(this.words.expect('name').text)
    return declareFunction(slot, this.functionBody(line, false))
  }

  #function(line: number): Statement {
    this.words.skip()
    let target = this.variable(this.words.expect('name'))
    let method = false
    while (!method && (this.words.is('.') || this.words.is(':'))) {
      method = this.words.is(':')
      this.words.skip()
      const field = this.words.expect('name').text
      target = indexing(this.runtime, target, constant(field), line, `field '${field}'`)
    }
    return assign([target], [this.functionBody(line, method)])
  }

  #callOrAssignment(): Statement {
    const first = this.suffixed()
    if (!this.words.is('=') && !this.words.is(',')) {
      if (!first.isCall) throw first.target ? this.words.expected('=') : this.words.fault('unexpected symbol')
      return (frame) => {
        first.one(frame)
        return undefined
      }
    }
    const targets = [first]
    while (this.words.accept(',')) targets.push(this.suffixed())
    if (targets.some((target) => !target.target)) throw this.words.fault('syntax error')
    this.words.expect('=')
    return assign(targets, this.expressions())
  }
}
