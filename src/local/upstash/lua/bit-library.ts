import { type Arguments, library } from './arguments.ts'
import type { Runtime } from './runtime.ts'
import type { LuaTable, LuaValue } from './values.ts'

/** Numbers wrap to 32 bits, whatever their size. */
function bits(args: Arguments, index: number): number {
  const value = args.number(index)
  return Number.isFinite(value) ? Number(BigInt.asIntN(32, BigInt(Math.round(value)))) : 0
}

function folds(combine: (a: number, b: number) => number) {
  return (args: Arguments): LuaValue[] => [
    args.list.slice(1).reduce((sum: number, _, i) => combine(sum, bits(args, i + 1)), bits(args, 0)) | 0,
  ]
}

/** The `bit` library: operations on 32-bit integers. */
export function bitLibrary(runtime: Runtime): LuaTable {
  return library(runtime, {
    tobit: (args) => [bits(args, 0)],
    bnot: (args) => [~bits(args, 0)],
    band: folds((a, b) => a & b),
    bor: folds((a, b) => a | b),
    bxor: folds((a, b) => a ^ b),
    lshift: (args) => [bits(args, 0) << (bits(args, 1) & 31)],
    rshift: (args) => [(bits(args, 0) >>> (bits(args, 1) & 31)) | 0],
    arshift: (args) => [bits(args, 0) >> (bits(args, 1) & 31)],
    rol: (args) => {
      const value = bits(args, 0)
      const by = bits(args, 1) & 31
      return [by === 0 ? value : (value << by) | (value >>> (32 - by))]
    },
    ror: (args) => {
      const value = bits(args, 0)
      const by = bits(args, 1) & 31
      return [by === 0 ? value : (value >>> by) | (value << (32 - by))]
    },
    bswap: (args) => {
      const value = bits(args, 0)
      return [(value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)]
    },
    tohex: (args) => {
      const width = args.list.length > 1 ? bits(args, 1) : 8
      const digits = (bits(args, 0) >>> 0)
        .toString(16)
        .padStart(8, '0')
        .slice(-Math.min(8, Math.abs(width)))
      return [width < 0 ? digits.toUpperCase() : digits]
    },
  })
}
