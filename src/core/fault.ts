import type { Context } from 'hono'
import type { BreakwaterError } from './errors.ts'
import { slot } from './slot.ts'

const faults = slot<Context, BreakwaterError>('fault')

/**
 * Notes the true reason why a request must fail, where the error itself may be lost on its way: native streams copy the
 * errors that pass through them, and validators catch every error of reading. The renderer of problems prefers it.
 */
export function noteFault(c: Context, fault: BreakwaterError): void {
  faults.set(c, fault)
}

/** The fault that was noted for this request and has not become its reply yet. */
export function notedFault(c: Context): BreakwaterError | undefined {
  return faults.get(c)
}

/** The noted fault, which now becomes the reply. */
export function takeFault(c: Context): BreakwaterError | undefined {
  const fault = faults.get(c)
  if (fault) faults.set(c, undefined)
  return fault
}
