import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'

/** Somebody with an account at the provider. */
export interface ProviderAccount {
  readonly email?: string
  readonly email_verified?: boolean
}

const CLIENT_ID = 'acme'
const CLIENT_SECRET = 'a secret that both of them know'

/** What people do at the provider. */
export type AtProvider = { readonly login: string } | 'refuse'

/**
 * An OpenID provider that others wrote, by HTTP on this machine, whose own pages are filled in by {@link visit}.
 * Issues ID tokens without mail addresses, as the standard has it: these are asked for at its UserInfo endpoint.
 */
export async function startOpenIdProvider(redirectUris: readonly string[]) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const accounts = new Map<string, ProviderAccount>()
  const state = { down: false, requests: [] as string[] }

  // It says on the console that its own pages and keys in memory are for trying out.
  const warn = console.warn
  console.warn = () => {}
  const provider = new Provider(issuer, {
    clients: [{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [...redirectUris] }],
    jwks: { keys: [jwk] } as never,
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    cookies: { keys: ['a key of the tests'] },
    ttl: {
      Interaction: 600,
      Session: 600,
      Grant: 600,
      AccessToken: 600,
      IdToken: 600,
      AuthorizationCode: 60,
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts.get(id) }) }),
  })
  const handle = provider.callback()
  console.warn = warn
  server.on('request', (request, response) => {
    state.requests.push(`${request.method} ${request.url?.split('?')[0]}`)
    if (state.down) response.writeHead(503).end()
    else handle(request, response)
  })

  /** Goes through the provider's pages, as a browser of its own. Gives where it is sent in the end. */
  async function visit(url: string, doing: AtProvider, jar: Map<string, string> = new Map()): Promise<URL> {
    let at = new URL(url)
    let form: URLSearchParams | undefined
    for (let step = 0; step < 12; step++) {
      const response = await fetch(at, {
        redirect: 'manual',
        headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(form && { method: 'POST', body: form }),
      })
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
        if (value === '') jar.delete(name)
        else jar.set(name, value)
      }
      const text = await response.text()
      const location = response.headers.get('location')
      form = undefined
      if (location !== null) {
        at = new URL(location, at)
        if (at.origin !== issuer) return at
        continue
      }
      const abort = /href="([^"]+\/abort)"/.exec(text)?.[1]
      const action = /action="([^"]+)"/.exec(text)?.[1]
      const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1]
      if (action === undefined || prompt === undefined)
        throw new Error(`${response.status} ${text.slice(0, 300)}`)
      if (doing === 'refuse') at = new URL(abort ?? '', at)
      else {
        at = new URL(action, at)
        form = new URLSearchParams({
          prompt,
          ...(prompt === 'login' && { login: doing.login, password: 'any' }),
        })
      }
    }
    throw new Error('the provider sends the browser in circles')
  }

  /** An ID token with other claims or another header, signed with the provider's own key, or another one. */
  function resign(
    idToken: string,
    {
      claims = {},
      header = {},
      forged = false,
    }: { claims?: object; header?: { alg?: string }; forged?: boolean },
  ): string {
    const [head = '', body = ''] = idToken.split('.')
    const part = (text: string, more: object) =>
      Buffer.from(
        JSON.stringify({ ...JSON.parse(Buffer.from(text, 'base64url').toString()), ...more }),
      ).toString('base64url')
    const signed = `${part(head, header)}.${part(body, claims)}`
    if (header.alg === 'none') return `${signed}.`
    const key = forged
      ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
      : createPrivateKey({ key: jwk as never, format: 'jwk' })
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`
  }

  return {
    issuer,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    accounts,
    state,
    visit,
    resign,
    async stop(): Promise<void> {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export type RunningProvider = Awaited<ReturnType<typeof startOpenIdProvider>>
