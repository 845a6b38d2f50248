import { describe, expect, test } from 'vitest'
import { Interpreter } from '../../../src/local/upstash/lua/interpreter.ts'
import { LuaError } from '../../../src/local/upstash/lua/values.ts'

function interpreter(steps = 200_000, call: (command: string[]) => number = () => 1) {
  const lua = new Interpreter(call, { steps, time: 2000 })
  return {
    value: (source: string) => {
      const outcome = lua.run(lua.compile(source), [], [])
      return outcome.kind === 'value' ? outcome.value : outcome
    },
    outcome: (source: string) => lua.run(lua.compile(source), [], []).kind,
    compile: (source: string) => lua.compile(source),
  }
}

describe('a script that would not end is stopped', () => {
  test.each([
    ['an endless loop', 'while true do end'],
    ['an endless repeat', 'repeat until false'],
    ['an endless for', 'for i = 1, math.huge do end'],
    ['a for that never gets there', 'for i = 1, 2, 0 do end for i = 1, 1e300 do end'],
    ['one that hides in pcall', 'while true do pcall(function() while true do end end) end'],
    [
      'one that hides in an error handler',
      'xpcall(function() while true do end end, function() while true do end end)',
    ],
    [
      'mutual calls',
      'local f, g f = function() return g() end g = function() pcall(f) while true do end end f()',
    ],
    ['a pattern that backtracks without end', 'return ("a"):rep(40):find(("a*"):rep(20) .. "b")'],
    [
      'a comparison that lies',
      'local t = {} for i = 1, 3000 do t[i] = i end while true do table.sort(t, function() return true end) end',
    ],
    [
      'a metamethod that calls itself',
      'local m = setmetatable({}, {}) getmetatable(m).__index = function(t, k) while true do end end return m.x',
    ],
    ['commands without end', 'while true do redis.call("PING") end'],
  ])('%s', (_, source) => {
    expect(interpreter().outcome(source)).toBe('stopped')
  })

  test('and the next script starts afresh', () => {
    const lua = interpreter()
    expect(lua.outcome('while true do end')).toBe('stopped')
    expect(lua.value('local n = 0 for i = 1, 1000 do n = n + i end return n')).toBe(500500)
  })
})

describe('a script that wants too much is an error, not the end of the process', () => {
  test.each([
    ['endless recursion', 'local function f() return 1 + f() end return f()'],
    ['a string that doubles', 'local s = "x" while true do s = s .. s end'],
    ['a string of a gigabyte', 'return ("x"):rep(1e9)'],
    ['a loop of metatables', 'local m = {} setmetatable(m, {__index = m}) return m.x'],
    ['unpacking without end', 'return unpack({}, 1, 1e8)'],
  ])('%s', (_, source) => {
    expect(interpreter(5_000_000).outcome(source)).toBe('error')
  })

  test('sources that nest without end do not compile', () => {
    for (const source of [
      '('.repeat(10_000),
      'do '.repeat(10_000),
      `return ${'{'.repeat(10_000)}`,
      `return ${'- '.repeat(9_999)} 1`,
    ]) {
      expect(() => interpreter().compile(source)).toThrow(LuaError)
    }
  })
})

describe('one script leaves nothing to the next', () => {
  test.each([
    'x = 1',
    '_G.x = 1',
    'rawset(_G, "x", 1)',
    'string.upper = nil',
    'table.insert = 1',
    'redis.call = nil',
    'setmetatable(_G, nil)',
    'getmetatable("").__index.x = 1',
    'math.huge = 1',
    'cjson.null = 1',
  ])('%s', (source) => {
    expect(interpreter().outcome(source)).toBe('error')
  })
})

test('numbers are doubles: nothing wraps at 31 bits', () => {
  const { value } = interpreter()
  expect(value('return "1728000000" * 2 + 1000')).toBe(3_456_001_000)
  expect(value('return 2147483647 + 1')).toBe(2_147_483_648)
  expect(value('return 65536 * 65536')).toBe(2 ** 32)
  expect(value('return tostring(2^53)')).toBe('9.007199254741e+15')
})

test('strings are bytes', () => {
  const { value } = interpreter()
  expect(value('return #"\\195\\169"')).toBe(2)
  expect(value('return ("\\255\\0"):byte(1)')).toBe(255)
})

test('clearing a table while walking it visits every field once', () => {
  const { value } = interpreter()
  expect(
    value(
      'local t, n = {1, 2, 3, a = 1, b = 2, c = 3}, 0 for k in pairs(t) do t[k] = nil n = n + 1 end return n',
    ),
  ).toBe(6)
  expect(
    value('local t = {} for i = 1, 100 do t[i] = i end for i = 100, 1, -1 do t[i] = nil end return #t'),
  ).toBe(0)
  expect(
    value(
      'local t = {} for i = 1, 500 do t["k" .. i] = i t["k" .. i - 1] = nil end local n = 0 for _ in pairs(t) do n = n + 1 end return n',
    ),
  ).toBe(1)
})
