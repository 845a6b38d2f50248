import { library } from './arguments.ts'
import type { Runtime } from './runtime.ts'
import type { LuaTable } from './values.ts'

/** The `math` library. `random` is seeded the same for every script, as Redis does it. */
export function mathLibrary(runtime: Runtime): LuaTable {
  let state = 0x9e3779b9
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const table = library(runtime, {
    abs: (args) => [Math.abs(args.number(0))],
    ceil: (args) => [Math.ceil(args.number(0)) + 0],
    floor: (args) => [Math.floor(args.number(0))],
    sqrt: (args) => [Math.sqrt(args.number(0))],
    exp: (args) => [Math.exp(args.number(0))],
    log: (args) => [Math.log(args.number(0))],
    log10: (args) => [Math.log10(args.number(0))],
    pow: (args) => [args.number(0) ** args.number(1)],
    sin: (args) => [Math.sin(args.number(0))],
    cos: (args) => [Math.cos(args.number(0))],
    tan: (args) => [Math.tan(args.number(0))],
    asin: (args) => [Math.asin(args.number(0))],
    acos: (args) => [Math.acos(args.number(0))],
    atan: (args) => [Math.atan(args.number(0))],
    atan2: (args) => [Math.atan2(args.number(0), args.number(1))],
    deg: (args) => [(args.number(0) * 180) / Math.PI],
    rad: (args) => [(args.number(0) * Math.PI) / 180],
    fmod: (args) => [args.number(0) % args.number(1)],
    mod: (args) => [args.number(0) % args.number(1)],
    modf: (args) => {
      const value = args.number(0)
      return [Math.trunc(value), Number.isFinite(value) ? value - Math.trunc(value) : 0]
    },
    ldexp: (args) => [args.number(0) * 2 ** args.integer(1)],
    frexp: (args) => {
      const value = args.number(0)
      if (value === 0 || !Number.isFinite(value)) return [value, 0]
      let exponent = Math.floor(Math.log2(Math.abs(value))) + 1
      let mantissa = value / 2 ** exponent
      if (Math.abs(mantissa) >= 1) {
        mantissa /= 2
        exponent++
      } else if (Math.abs(mantissa) < 0.5) {
        mantissa *= 2
        exponent--
      }
      return [mantissa, exponent]
    },
    max: (args) => [Math.max(args.number(0), ...args.list.map((_, i) => args.number(i)))],
    min: (args) => [Math.min(args.number(0), ...args.list.map((_, i) => args.number(i)))],
    random: (args) => {
      if (args.list.length === 0) return [random()]
      const low = args.list.length === 1 ? 1 : args.integer(0)
      const high = args.integer(args.list.length === 1 ? 0 : 1)
      if (low > high) throw args.bad(args.list.length - 1, 'interval is empty')
      return [low + Math.floor(random() * (high - low + 1))]
    },
    randomseed: (args) => {
      state = args.integer(0) | 0
      return []
    },
  })
  table.set('pi', Math.PI)
  table.set('huge', Infinity)
  return table
}
