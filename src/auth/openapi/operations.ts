import type { ErrorCode } from '../../core/index.ts'
import type { AuthSchema } from '../routes-schema.ts'
import { anyOf, boolean, count, list, none, object, oneOf, type Schema, string } from './schema.ts'
import { identity, identityMembers, sessionMembers, tokens, withTokens } from './shapes.ts'

type Endpoint = { readonly status: number; readonly output: unknown }

/** What an endpoint answers when all is well, by status; as many statuses as its type has, and no other. */
type Replies<E extends Endpoint> = {
  readonly [Status in E['status']]: Schema<Extract<E, { status: Status }>['output']>
}

/** What the document says of an endpoint beside its path, its method and its input, which come from the route itself. */
export interface Operation<E extends Endpoint = Endpoint> {
  readonly summary: string
  readonly description?: string
  /** Who may call it. `fresh`: who has lately proved who they are. */
  readonly who: 'anyone' | 'signed-in' | 'fresh'
  /** Whether the limiter is asked. */
  readonly limited?: true
  /** Errors of its own. */
  readonly errors?: readonly ErrorCode[]
  readonly replies: Replies<E>
}

type MethodOf<M> = M extends `$${infer Method}` ? Method : never

/** An {@link Operation} for each path and each method of the type that `hc` knows. Neither can have one that the other lacks. */
type Operations = {
  readonly [Path in keyof AuthSchema]: {
    readonly [M in keyof AuthSchema[Path] as MethodOf<M>]: Operation<Extract<AuthSchema[Path][M], Endpoint>>
  }
}

const status = <const T extends string>(value: T) => object({ status: oneOf(value) })

/** Every endpoint of `authRoutes`. */
export const operations: Operations = {
  '/sign-up': {
    post: {
      summary: 'Open an account. It stays shut until its mail address is verified.',
      description: 'Answers the same whether or not the address has an account; its owner is told by mail.',
      who: 'anyone',
      limited: true,
      errors: ['weak-password'],
      replies: { 202: status('check-your-mail') },
    },
  },
  '/verify-mail': {
    post: {
      summary: 'Verify a mail address by the token that was sent there. Single use.',
      who: 'anyone',
      limited: true,
      errors: ['invalid-token'],
      replies: { 200: status('verified') },
    },
  },
  '/sign-in': {
    post: {
      summary: 'Sign in by mail address and password.',
      description: 'Gives a session, by cookies or by tokens; or says that a second factor is due.',
      who: 'anyone',
      limited: true,
      errors: ['invalid-credentials', 'overloaded'],
      replies: {
        200: identity,
        202: object({
          status: oneOf('mfa-required'),
          challenge: string('Goes to `/sign-in/second-factor`, with a code, within five minutes.'),
          methods: list(oneOf('passkey', 'totp', 'recovery-code')),
        }),
      },
    },
  },
  '/sign-in/second-factor': {
    post: {
      summary: 'Finish signing in by a code of the authenticator app, or a recovery code.',
      who: 'anyone',
      limited: true,
      errors: ['invalid-token', 'invalid-credentials'],
      replies: { 200: identity },
    },
  },
  '/sign-out': {
    post: { summary: 'End this session.', who: 'anyone', replies: { 204: none() } },
  },
  '/sign-out-everywhere': {
    post: { summary: 'End every other session.', who: 'fresh', replies: { 200: object({ ended: count() }) } },
  },
  '/session': {
    get: {
      summary: 'Say who is asking.',
      who: 'anyone',
      replies: { 200: anyOf(object({ user: none(), session: none() }), identity) },
    },
  },
  '/sessions': {
    get: {
      summary: 'List the live sessions, the latest used first.',
      who: 'signed-in',
      replies: { 200: object({ sessions: list(object({ ...sessionMembers, current: boolean() })) }) },
    },
  },
  '/sessions/:id': {
    delete: { summary: 'End a session.', who: 'fresh', errors: ['not-found'], replies: { 204: none() } },
  },
  '/token/refresh': {
    post: {
      summary: 'Rotate a refresh token.',
      description: 'A token older than the one before the newest has been copied: the session ends.',
      who: 'anyone',
      errors: ['invalid-token'],
      replies: { 200: object({ ...identityMembers, tokens }) },
    },
  },
  '/token/revoke': {
    post: {
      summary: 'End the session of a refresh token (RFC 7009).',
      who: 'anyone',
      replies: { 204: none() },
    },
  },
  '/password/change': {
    post: {
      summary: 'Change the password. Every other session ends, and this one gets a successor.',
      who: 'signed-in',
      limited: true,
      errors: ['invalid-credentials', 'weak-password', 'overloaded'],
      replies: { 200: identity },
    },
  },
  '/password/forgot': {
    post: {
      summary: 'Send a link to choose a new password, if there is such an account.',
      who: 'anyone',
      limited: true,
      replies: { 202: status('check-your-mail') },
    },
  },
  '/password/reset': {
    post: {
      summary: 'Set a new password by a mailed token. Every session ends. Single use.',
      who: 'anyone',
      limited: true,
      errors: ['invalid-token', 'weak-password', 'overloaded'],
      replies: { 200: status('password-changed') },
    },
  },
  '/second-factor': {
    get: {
      summary: 'Say what second factors there are.',
      who: 'signed-in',
      replies: { 200: object({ totp: boolean(), recoveryCodes: count() }) },
    },
  },
  '/second-factor/totp/enrol': {
    post: {
      summary: 'Begin to add an authenticator app.',
      who: 'fresh',
      errors: ['conflict'],
      replies: { 200: object({ secret: string('Base32.'), uri: string('For a QR code.') }) },
    },
  },
  '/second-factor/totp/confirm': {
    post: {
      summary: 'Add the authenticator app by its first code. Every other session ends.',
      who: 'fresh',
      limited: true,
      errors: ['conflict', 'invalid-credentials'],
      replies: { 200: object({ ...identityMembers, recoveryCodes: list(string()) }, withTokens) },
    },
  },
  '/second-factor/totp/remove': {
    post: {
      summary:
        'Remove the authenticator app by one of its codes, or a recovery code. Every other session ends.',
      who: 'fresh',
      limited: true,
      errors: ['conflict', 'invalid-credentials'],
      replies: { 200: identity },
    },
  },
  '/second-factor/recovery-codes': {
    post: {
      summary: 'Make new recovery codes by a code of the app or one of the old ones, which are dead.',
      who: 'fresh',
      limited: true,
      errors: ['conflict', 'invalid-credentials'],
      replies: { 200: object({ ...identityMembers, recoveryCodes: list(string()) }, withTokens) },
    },
  },
  '/mail/change': {
    post: {
      summary: 'Ask for another mail address: the new one gets a link, the old one is told.',
      who: 'fresh',
      limited: true,
      replies: { 202: status('check-your-mail') },
    },
  },
  '/mail/confirm': {
    post: {
      summary:
        'Change the mail address by the token that was sent to the new one. Every session ends. Single use.',
      who: 'anyone',
      limited: true,
      errors: ['invalid-token'],
      replies: { 200: status('mail-changed') },
    },
  },
  '/account/close': {
    post: { summary: 'Close the account.', who: 'fresh', replies: { 204: none() } },
  },
}
