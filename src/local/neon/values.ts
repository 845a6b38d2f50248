/** Object ids of the built-in array types and of their elements. */
const ELEMENT: ReadonlyMap<number, number> = new Map([
  [1000, 16],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1008, 24],
  [1009, 25],
  [1010, 27],
  [1011, 28],
  [1012, 29],
  [1013, 30],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1017, 600],
  [1018, 601],
  [1019, 602],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1040, 829],
  [1041, 869],
  [651, 650],
  [1115, 1114],
  [1182, 1082],
  [1183, 1083],
  [1185, 1184],
  [1187, 1186],
  [1231, 1700],
  [1270, 1266],
  [1561, 1560],
  [1563, 1562],
  [199, 114],
  [2951, 2950],
  [3807, 3802],
  [3643, 3614],
  [3645, 3615],
  [3905, 3904],
  [3907, 3906],
  [3909, 3908],
  [3911, 3910],
  [3913, 3912],
  [3927, 3926],
])

const BOOL = 16
const INT2 = 21
const INT4 = 23
const FLOAT4 = 700
const FLOAT8 = 701
const JSON_ = 114
const JSONB = 3802

/** Reads one array literal at `at`; the index after it. */
function arrayJson(text: string, start: number, element: number, out: string[]): number {
  let at = start + 1
  out.push('[')
  for (let first = true; at < text.length; first = false) {
    while (text[at] === ' ') at++
    if (text[at] === '}') break
    if (!first) {
      if (text[at] === ',') at++
      out.push(',')
      while (text[at] === ' ') at++
    }
    if (text[at] === '{') {
      at = arrayJson(text, at, element, out)
    } else if (text[at] === '"') {
      let value = ''
      for (at++; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === '\\') at++
        value += text[at] ?? ''
      }
      at++
      out.push(valueJson(value, element))
    } else {
      const from = at
      while (at < text.length && text[at] !== ',' && text[at] !== '}') at++
      const value = text.slice(from, at).trimEnd()
      out.push(value === 'NULL' ? 'null' : valueJson(value, element))
    }
  }
  out.push(']')
  return at + 1
}

/**
 * The JSON of a value in Postgres's text form, as Neon gives it to those who do not ask for raw text: booleans,
 * small integers, floats, JSON and arrays as such, everything else as a string.
 */
export function valueJson(text: string, type: number): string {
  const element = ELEMENT.get(type)
  if (element !== undefined) {
    const out: string[] = []
    // Bounds, as in [0:1]={a,b}, have no place in JSON.
    arrayJson(text, Math.max(text.indexOf('{'), 0), element, out)
    return out.join('')
  }
  switch (type) {
    case BOOL:
      return text === 't' ? 'true' : 'false'
    case INT2:
    case INT4:
    case JSON_:
    case JSONB:
      return text
    case FLOAT4:
    case FLOAT8:
      return Number.isFinite(Number(text)) ? JSON.stringify(Number(text)) : JSON.stringify(text)
    default:
      return JSON.stringify(text)
  }
}
