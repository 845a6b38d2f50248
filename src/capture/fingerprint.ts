import { isBreakwaterError } from '../core/index.ts'
import type { RawEvent } from './client.ts'

/** A text without what differs from one time to the next: numbers, ids, hexadecimal, quoted values. */
function alike(text: string): string {
  return text
    .slice(0, 500)
    .replace(/"[^"]{0,200}"|'[^']{0,200}'/g, '«»')
    .replace(/\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b|\b(?=[a-z]*\d)[\da-f]{8,}\b|\d+/gi, '#')
}

/**
 * What groups an event with others of its kind where the stack would not: errors of our family are all made in a few
 * places, so their code, what caused them and where they came up group them; what has no stack is grouped by its text.
 * Undefined: the tracker's own way, by the stack, is the best.
 */
export function fingerprintOf(thrown: unknown, raw: RawEvent, transaction: string): string[] | undefined {
  const values = raw.exception?.values ?? []
  const last = values.at(-1)
  if (last === undefined) return undefined
  const first = values[0]
  if (isBreakwaterError(thrown) && thrown.code !== 'internal') {
    const cause = first === last ? '' : `${first?.type}: ${alike(first?.value ?? '')}`
    return ['breakwater', thrown.code, cause, transaction]
  }
  if ((last.stacktrace?.frames?.length ?? 0) > 0) return undefined
  return [String(last.type), alike(String(last.value ?? '')), transaction]
}

/** By what duplicates within one isolate are known. Numbers count: folding loses an event, grouping does not. */
export function foldKey(raw: RawEvent, transaction: string): string {
  const last = raw.exception?.values?.at(-1)
  const frame = last?.stacktrace?.frames?.at(-1)
  const text = last ? `${last.type}: ${alike(String(last.value ?? ''))}` : alike(String(raw.message))
  return `${transaction}|${text}|${frame?.filename}:${frame?.lineno}:${frame?.colno}`.slice(0, 600)
}
