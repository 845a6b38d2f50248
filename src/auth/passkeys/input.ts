import type { AssertionResponse, RegistrationResponse } from './webauthn.ts'

type Read<T> = { readonly value: T } | { readonly fault: string }
type Members = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null
const areTexts = (object: Members, names: readonly string[]) =>
  names.every((name) => typeof object[name] === 'string')

function readCredential<T>(value: unknown, names: readonly string[]): Read<T> {
  const fault = { fault: 'must be what the browser gave, as JSON' }
  if (!isObject(value) || !areTexts(value, ['id', 'rawId', 'type'])) return fault
  const { id, rawId, type, response } = value
  if (!isObject(response) || !areTexts(response, names)) return fault
  return { value: { id, rawId, type, response } as T }
}

/** A new passkey: `RegistrationResponseJSON`. What it says is judged later. */
export function registrationResponse(value: unknown): Read<RegistrationResponse> {
  const read = readCredential<RegistrationResponse>(value, ['clientDataJSON', 'attestationObject'])
  if ('fault' in read) return read
  const { transports } = read.value.response
  const list = transports === undefined || Array.isArray(transports)
  return list ? read : { fault: 'must have a list of transports, or none' }
}

/** A use of a passkey: `AuthenticationResponseJSON`. What it says is judged later. */
export const assertionResponse = (value: unknown): Read<AssertionResponse> =>
  readCredential(value, ['clientDataJSON', 'authenticatorData', 'signature'])

const MAX_NAME = 64

/** What a passkey is called. */
export function passkeyName(value: unknown): Read<string> {
  const name = typeof value === 'string' ? value.trim().normalize('NFC') : ''
  const length = [...name].length
  if (length < 1 || length > MAX_NAME || /\p{Cc}/u.test(name)) {
    return { fault: `must be a text of 1 to ${MAX_NAME} characters` }
  }
  return { value: name }
}

/** The same, or nothing. */
export const optionalName = (value: unknown): Read<string | undefined> =>
  value === undefined ? { value } : passkeyName(value)
