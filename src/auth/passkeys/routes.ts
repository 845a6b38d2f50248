import type { Context, Hono } from 'hono'
import { admit } from '../admit.ts'
import type { AuthSource } from '../auth.ts'
import { presented, presentedDevice } from '../cookies.ts'
import type { Transport } from '../credential.ts'
import { endpoints } from '../endpoints.ts'
import { unauthenticated, validationFailed } from '../errors.ts'
import { body, token, transport } from '../input.ts'
import { type AuthEnv, requireFresh, requireUser, session } from '../middleware.ts'
import { parseToken } from '../token.ts'
import { visitorOf } from '../visitor.ts'
import { bindToBrowser, boundTo } from './browser.ts'
import { assertionResponse, optionalName, passkeyName, registrationResponse } from './input.ts'
import { creationOptions, listPasskeys, register, removePasskey, renamePasskey } from './manage.ts'
import { type PasskeyInternals, type PasskeyOptions, passkeyInternals } from './options.ts'
import { type PasskeySchema, passkeyJson } from './routes-schema.ts'
import { secondFactorByPasskey, secondFactorOptions, signInOptions, signInWithPasskey } from './use.ts'

/**
 * The endpoints of passkeys (WebAuthn Level 3), to mount beside `authRoutes`:
 * `app.route('/auth', authRoutes(auth)).route('/auth/passkeys', passkeyRoutes(auth))`. Typed for `hc`.
 *
 * A passkey signs in by itself, without a name or a password; and where an account has one, a right password alone
 * does not open it any more.
 *
 * @param source what `createAuth` made, or how to come by it.
 * @throws TypeError when an option is wrong
 */
export function passkeyRoutes(
  source: AuthSource,
  options: PasskeyOptions = {},
): Hono<AuthEnv, PasskeySchema, '/'> {
  const internals = passkeyInternals(source, options)
  const at = (c: Context) => {
    const found = internals(c)
    return { ...found, found, visitor: visitorOf(c, found.config.clientAddress), since: Date.now() }
  }
  const whoAsks = async (c: Context, { identify }: PasskeyInternals) => {
    const identity = await identify(c)
    if (identity === undefined) throw unauthenticated()
    return identity
  }
  const travels = ({ config }: PasskeyInternals, asked: Transport | undefined): Transport => {
    if (asked === 'token' && config.tokens === undefined) {
      throw validationFailed([{ pointer: '/transport', detail: 'must be cookie' }])
    }
    return asked ?? 'cookie'
  }
  /** The session that the one which begins replaces, and what the device has of earlier ones. */
  const earlier = (c: Context, { config }: PasskeyInternals) => ({
    replaces: parseToken(presented(c, config).session),
    device: presentedDevice(c),
  })

  return endpoints(source)
    .get('/', session(source), requireUser(), async (c) => {
      const list = await listPasskeys(at(c).config, c.var.user.id)
      return c.json({ passkeys: list.map(passkeyJson) }, 200)
    })
    .post('/register/options', session(source), requireFresh(), async (c) => {
      const { config, passkeys, found } = at(c)
      return c.json(await creationOptions(config, passkeys, await whoAsks(c, found)), 200)
    })
    .post(
      '/register',
      session(source),
      requireFresh(),
      body({ credential: registrationResponse, name: optionalName }),
      async (c) => {
        const { config, passkeys, found, visitor, since } = at(c)
        const identity = await whoAsks(c, found)
        const { passkey, recoveryCodes, ...signedIn } = await register(
          config,
          passkeys,
          identity,
          c.req.valid('json'),
          visitor,
        )
        const json = await admit(c, found, signedIn, since)
        return c.json(
          { ...json, passkey: passkeyJson(passkey), ...(recoveryCodes && { recoveryCodes }) },
          200,
        )
      },
    )
    .post('/sign-in/options', body({ transport }), async (c) => {
      const { config, passkeys, found } = at(c)
      const bound = bindToBrowser(c, travels(found, c.req.valid('json').transport))
      return c.json(await signInOptions(config, passkeys, bound), 200)
    })
    .post('/sign-in', body({ credential: assertionResponse, transport }), async (c) => {
      const { config, passkeys, found, visitor, since } = at(c)
      const { credential, ...asked } = c.req.valid('json')
      const transport = travels(found, asked.transport)
      const { replaces, device } = earlier(c, found)
      const signedIn = await signInWithPasskey(
        config,
        passkeys,
        {
          credential,
          transport,
          boundTo: boundTo(c, transport),
          replaces: transport === 'cookie' ? replaces : undefined,
          device,
        },
        visitor,
      )
      return c.json(await admit(c, found, signedIn, since), 200)
    })
    .post('/second-factor/options', body({ challenge: token }), async (c) => {
      const { config, passkeys } = at(c)
      return c.json(await secondFactorOptions(config, passkeys, c.req.valid('json').challenge), 200)
    })
    .post('/second-factor', body({ challenge: token, credential: assertionResponse }), async (c) => {
      const { config, passkeys, found, visitor, since } = at(c)
      const input = { ...c.req.valid('json'), ...earlier(c, found) }
      const signedIn = await secondFactorByPasskey(config, passkeys, input, visitor)
      return c.json(await admit(c, found, signedIn, since), 200)
    })
    .patch('/:id', session(source), requireUser(), body({ name: passkeyName }), async (c) => {
      const { name } = c.req.valid('json')
      const passkey = await renamePasskey(at(c).config, c.var.user.id, c.req.param('id'), name)
      return c.json(passkeyJson(passkey), 200)
    })
    .delete('/:id', session(source), requireFresh(), async (c) => {
      const { config, found, visitor, since } = at(c)
      const signedIn = await removePasskey(config, await whoAsks(c, found), c.req.param('id'), visitor)
      return c.json(await admit(c, found, signedIn, since), 200)
    }) as unknown as Hono<AuthEnv, PasskeySchema, '/'>
}
