import { type Context, Hono } from 'hono'
import { admit } from './admit.ts'
import { type AuthSource, internalsOf } from './auth.ts'
import { presentedDevice } from './cookies.ts'
import { unauthenticated } from './errors.ts'
import { confirmTotp, enrolTotp, listFactors, removeTotp, renewRecoveryCodes } from './factors.ts'
import { body, token } from './input.ts'
import { type AuthEnv, requireFresh, requireUser, session } from './middleware.ts'
import type { SignedIn } from './sign-in.ts'
import { visitorOf } from './visitor.ts'

/** The endpoints of second factors: adding an authenticator app, removing it, and recovery codes. */
export function factorRoutes(source: AuthSource): Hono<AuthEnv> {
  async function at(c: Context) {
    const internals = internalsOf(source, c)
    const identity = await internals.identify(c)
    if (identity === undefined) throw unauthenticated()
    const { config } = internals
    return { internals, config, identity, visitor: visitorOf(c, config.clientAddress), since: Date.now() }
  }

  type At = Awaited<ReturnType<typeof at>>
  type CodeContext = Context<
    AuthEnv,
    string,
    { in: { json: { code: string } }; out: { json: { code: string } } }
  >

  /** Something that a code is asked for, and that gives a new session. */
  const byCode =
    <T extends SignedIn>(
      work: (
        config: At['config'],
        identity: At['identity'],
        input: { code: string; device: string | undefined },
        visitor: At['visitor'],
      ) => Promise<T>,
    ) =>
    async (c: CodeContext) => {
      const { internals, config, identity, visitor, since } = await at(c)
      const input = { code: c.req.valid('json').code, device: presentedDevice(c) }
      const done: SignedIn & { readonly recoveryCodes?: string[] } = await work(
        config,
        identity,
        input,
        visitor,
      )
      const { recoveryCodes } = done
      return c.json(
        { ...(await admit(c, internals, done, since)), ...(recoveryCodes && { recoveryCodes }) },
        200,
      )
    }

  return new Hono<AuthEnv>()
    .get('/', session(source), requireUser(), async (c) => {
      const { config, identity } = await at(c)
      return c.json(await listFactors(config, identity.user.id), 200)
    })
    .post('/totp/enrol', session(source), requireFresh(), async (c) => {
      const { config, identity } = await at(c)
      return c.json(await enrolTotp(config, identity), 200)
    })
    .post('/totp/confirm', session(source), requireFresh(), body({ code: token }), (c) =>
      byCode(confirmTotp)(c as unknown as CodeContext),
    )
    .post('/totp/remove', session(source), requireFresh(), body({ code: token }), (c) =>
      byCode(removeTotp)(c as unknown as CodeContext),
    )
    .post('/recovery-codes', session(source), requireFresh(), body({ code: token }), (c) =>
      byCode(renewRecoveryCodes)(c as unknown as CodeContext),
    ) as unknown as Hono<AuthEnv>
}
