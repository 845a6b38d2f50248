import type { Context, Hono } from 'hono'
import { currentWork, isBreakwaterError } from '../../core/index.ts'
import { admit } from '../admit.ts'
import { type AuthSource, internalsOf } from '../auth.ts'
import { presented, presentedDevice } from '../cookies.ts'
import { endpoints } from '../endpoints.ts'
import { unauthenticated, validationFailed } from '../errors.ts'
import { body } from '../input.ts'
import { type AuthEnv, requireFresh, requireUser, session } from '../middleware.ts'
import { parseToken } from '../token.ts'
import { visitorOf } from '../visitor.ts'
import { conflict, notFound, startAgain } from './errors.ts'
import { linkIdentity, listIdentities, unlinkIdentity } from './manage.ts'
import { type OpenIdOptions, redirectUri, resolveOpenId } from './options.ts'
import { createProvider, type ProviderClient } from './provider.ts'
import { identityJson, type OpenIdSchema } from './routes-schema.ts'
import { type CallbackInput, signInByProvider } from './sign-in.ts'
import {
  keepTransaction,
  newTransaction,
  returnPath,
  type Transaction,
  takeTransaction,
} from './transaction.ts'

const optionalText = (value: unknown) =>
  value === undefined || typeof value === 'string' ? { value } : { fault: 'must be a text' }
const optionalFlag = (value: unknown) =>
  value === undefined || typeof value === 'boolean' ? { value } : { fault: 'must be true or false' }

/**
 * The endpoints of signing in with OpenID providers (OpenID Connect Core 1.0, code flow with PKCE), to mount beside
 * `authRoutes`: `app.route('/auth', authRoutes(auth)).route('/auth/openid', openidRoutes(auth, { providers }))`.
 * Typed for `hc`. A page posts to `/<id>/start`, goes to the `url` it is given, and comes back signed in.
 *
 * @param source what `createAuth` made, or how to come by it.
 * @throws TypeError when an option is wrong
 */
export function openidRoutes(source: AuthSource, options: OpenIdOptions): Hono<AuthEnv, OpenIdSchema, '/'> {
  const openid = resolveOpenId(options)
  const clients = new Map<string, ProviderClient>(
    [...openid.providers].map(([id, provider]) => [id, createProvider(provider, openid.fetch)]),
  )
  const byIssuer = new Map([...openid.providers.values()].map(({ issuer, id }) => [issuer.href, id]))

  const at = (c: Context) => {
    const internals = internalsOf(source, c)
    const { config, identify } = internals
    return { internals, config, identify, visitor: visitorOf(c, config.clientAddress), since: Date.now() }
  }
  const clientOf = (id: string): ProviderClient => {
    const client = clients.get(id)
    if (client === undefined) throw notFound('There is no such sign-in service.')
    return client
  }

  /** Begins a transaction and says where to go. */
  async function start(
    c: Context,
    client: ProviderClient,
    asked: { readonly returnTo?: string | undefined; readonly again?: boolean | undefined },
    link: Transaction['link'],
  ) {
    const { config } = at(c)
    const returnTo = returnPath(config.app.origin, asked.returnTo ?? '/')
    if (returnTo === undefined) {
      throw validationFailed([{ pointer: '/returnTo', detail: 'must be a path of this site' }])
    }
    const provider = client.provider.id
    const transaction = newTransaction({ provider, returnTo, again: asked.again === true, link })
    const url = await client.authorizationUrl(transaction, redirectUri(config, openid, client.provider))
    await keepTransaction(c, config.secrets, transaction)
    return c.json({ url: url.href }, 200)
  }

  /** Ends a transaction and says where the person goes. */
  async function finish(c: Context, client: ProviderClient): Promise<string> {
    const { internals, config, identify, visitor, since } = at(c)
    const parameters = new URL(c.req.url).searchParams
    const transaction = await takeTransaction(c, config.secrets, client.provider.id, parameters.get('state'))
    if (transaction === undefined) throw startAgain()
    const replaces = parseToken(presented(c, config).session)
    const input: CallbackInput = { parameters, transaction, replaces, device: presentedDevice(c) }
    const done =
      transaction.link === undefined
        ? await signInByProvider(config, openid, client, input, visitor)
        : await linkIdentity(config, openid, client, await identify(c), input, visitor)
    if (done === undefined) return transaction.returnTo
    if ('challenge' in done) {
      const { challenge, methods } = done
      const due = new URLSearchParams({
        challenge,
        methods: methods.join(' '),
        returnTo: transaction.returnTo,
      })
      return `${openid.secondFactorPath}#${due}`
    }
    await admit(c, internals, done, since)
    return transaction.returnTo
  }

  const starting = body({ returnTo: optionalText, again: optionalFlag })

  return endpoints(source)
    .get('/', (c) => {
      const providers = [...openid.providers.values()].map(({ id, name }) => ({ id, name }))
      return c.json({ providers }, 200)
    })
    .get('/identities', session(source), requireUser(), async (c) => {
      const list = await listIdentities(at(c).config, c.var.user.id)
      const identities = list.map((one) => identityJson(one, byIssuer.get(new URL(one.issuer).href)))
      return c.json({ identities }, 200)
    })
    .delete('/identities/:id', session(source), requireFresh(), async (c) => {
      const { internals, config, identify, visitor, since } = at(c)
      const identity = await identify(c)
      if (identity === undefined) throw unauthenticated()
      const signedIn = await unlinkIdentity(config, identity, c.req.param('id'), visitor)
      return c.json(await admit(c, internals, signedIn, since), 200)
    })
    .post('/:id/start', starting, (c) =>
      start(c, clientOf(c.req.param('id')), c.req.valid('json'), undefined),
    )
    .post('/:id/link', session(source), requireFresh(), starting, (c) => {
      const { id, userId, transport } = c.var.session
      // The browser that comes back brings cookies and no token.
      if (transport === 'token') throw conflict('This can be added from a browser session only.')
      return start(c, clientOf(c.req.param('id')), c.req.valid('json'), { userId, sessionId: id })
    })
    .get('/:id/callback', async (c) => {
      const client = clientOf(c.req.param('id'))
      const { origin } = at(c).config.app
      // Codes and states have no business in the Referer of what comes next.
      c.header('Referrer-Policy', 'no-referrer')
      try {
        return c.redirect(`${origin}${await finish(c, client)}`, 303)
      } catch (error) {
        if (openid.errorPath === undefined || !isBreakwaterError(error)) throw error
        if (error.report) currentWork()?.fail?.(error, 'handler')
        const said = new URLSearchParams({ error: error.code, provider: client.provider.id })
        return c.redirect(`${origin}${openid.errorPath}?${said}`, 303)
      }
    }) as unknown as Hono<AuthEnv, OpenIdSchema, '/'>
}
