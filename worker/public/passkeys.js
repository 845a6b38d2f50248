import { call, say } from '/api.js'

/** Whether this browser can do it, and read and write it as JSON (WebAuthn Level 3). */
export const canUsePasskeys = 'parseRequestOptionsFromJSON' in (globalThis.PublicKeyCredential ?? {})

/** Asks the authenticator. Undefined when its owner called it off, or has no such passkey. */
async function ask(work) {
  try {
    return (await work()).toJSON()
  } catch (error) {
    say(error.name === 'NotAllowedError' ? 'No passkey was used.' : String(error))
    return undefined
  }
}

/** Gets options, has them answered, and sends the answer. */
async function prove(path, body) {
  const options = await call('POST', `${path}/options`, body)
  if (!options.ok) return options
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.body)
  const credential = await ask(() => navigator.credentials.get({ publicKey }))
  return credential ? call('POST', path, { ...body, credential }) : { ok: false }
}

/** Signs in without a name and without a password. */
export const signInWithPasskey = () => prove('/auth/passkeys/sign-in', {})

/** Goes on where a right password was not enough. */
export const secondFactorByPasskey = (challenge) => prove('/auth/passkeys/second-factor', { challenge })

/** Makes a passkey for whoever is signed in. */
export async function addPasskey() {
  const options = await call('POST', '/auth/passkeys/register/options')
  if (!options.ok) return options
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.body)
  const credential = await ask(() => navigator.credentials.create({ publicKey }))
  return credential ? call('POST', '/auth/passkeys/register', { credential }) : { ok: false }
}
