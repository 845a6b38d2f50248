/**
 * Validated input, by any Standard Schema: typed for the handler and for the client `hc`, faults located by JSON Pointer.
 * @module
 */
export { type Validated, type ValidationTarget, validate, validationFailed } from './validate.ts'
