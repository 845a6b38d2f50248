import { describe, expect, it } from 'vitest'
import { resolveOpenId } from '../../../src/auth/openid/options.ts'
import { createProvider } from '../../../src/auth/openid/provider.ts'
import { newTransaction } from '../../../src/auth/openid/transaction.ts'
import { toBase64Url, toBytes } from '../../../src/core/bytes.ts'

const ISSUER = 'https://provider.example'
const REDIRECT = 'https://app.example/auth/openid/acme/callback'
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

const text = (value: unknown) => toBase64Url(toBytes(JSON.stringify(value)))

/** A provider that answers as it is told, by a function in place of the network. */
async function provider() {
  const keys = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair
  const jwk = (await crypto.subtle.exportKey('jwk', keys.publicKey)) as JsonWebKey
  const state = { nonce: '', requests: [] as string[], hangs: false }

  async function idToken(): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const claims = { iss: ISSUER, sub: 'somebody', aud: 'acme', iat: now, exp: now + 60, nonce: state.nonce }
    const signed = `${text({ alg: 'ES256', kid: '1' })}.${text({ ...claims, email: 'a@b.example', email_verified: true })}`
    const signature = await crypto.subtle.sign(ALGORITHM, keys.privateKey, toBytes(signed))
    return `${signed}.${toBase64Url(new Uint8Array(signature))}`
  }

  const call: typeof fetch = async (input) => {
    const request = input as Request
    const { pathname } = new URL(request.url)
    state.requests.push(pathname)
    if (state.hangs && pathname === '/jwks') return new Promise(() => {})
    if (pathname === '/token') {
      const form = await request.formData()
      if (form.get('code') !== 'right') return Response.json({ error: 'invalid_grant' }, { status: 400 })
      return Response.json({ access_token: 'x', token_type: 'bearer', id_token: await idToken() })
    }
    if (pathname === '/jwks') return Response.json({ keys: [{ ...jwk, kid: '1', alg: 'ES256', use: 'sig' }] })
    return Response.json({
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/authorize`,
      token_endpoint: `${ISSUER}/token`,
      jwks_uri: `${ISSUER}/jwks`,
      id_token_signing_alg_values_supported: ['ES256'],
    })
  }

  const { providers } = resolveOpenId({
    providers: [{ id: 'acme', issuer: ISSUER, clientId: 'acme', clientSecret: 'secret' }],
  })
  const config = providers.get('acme')
  if (config === undefined) throw new Error('no provider')
  return { state, client: createProvider(config, call) }
}

const begun = () => newTransaction({ provider: 'acme', returnTo: '/', again: false, link: undefined })

describe('an OpenID provider in workerd', () => {
  it('is believed for its own signature and nonce', async () => {
    const { client, state } = await provider()
    const transaction = begun()
    state.nonce = transaction.nonce
    const url = await client.authorizationUrl(transaction, REDIRECT)
    expect(url.searchParams.get('code_challenge_method')).toBe('S256')
    const parameters = new URLSearchParams({ code: 'right', state: transaction.state })
    const { claims, verifiedMail } = await client.exchange(transaction, parameters, REDIRECT)
    expect(claims).toMatchObject({ issuer: ISSUER, subject: 'somebody' })
    expect(await verifiedMail()).toBe('a@b.example')
    expect(state.requests).toEqual(['/.well-known/openid-configuration', '/token', '/jwks'])
    state.nonce = 'another'
    await expect(client.exchange(transaction, parameters, REDIRECT)).rejects.toMatchObject({
      code: 'invalid-credentials',
    })
  })

  it('is asked again for a code that it refuses', async () => {
    const { client } = await provider()
    const transaction = begun()
    const parameters = new URLSearchParams({ code: 'used', state: transaction.state })
    await expect(client.exchange(transaction, parameters, REDIRECT)).rejects.toMatchObject({
      code: 'invalid-token',
    })
  })

  it('leaves no request waiting for what another one began', async () => {
    const { client, state } = await provider()
    const transaction = begun()
    state.nonce = transaction.nonce
    const parameters = new URLSearchParams({ code: 'right', state: transaction.state })
    await client.authorizationUrl(transaction, REDIRECT)
    state.hangs = true
    // Cancelled in the middle, as a request is whose client goes away: it never ends.
    client.exchange(transaction, parameters, REDIRECT).catch(() => {})
    await expect.poll(() => state.requests).toContain('/jwks')
    state.hangs = false
    expect((await client.exchange(transaction, parameters, REDIRECT)).claims.subject).toBe('somebody')
  })
})
