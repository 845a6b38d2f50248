import type { AuthConfig } from './config.ts'
import type { AuthEvent } from './database.ts'
import type { Visitor } from './visitor.ts'

/** Something that is about to happen to an account. */
export interface BeforeEvent {
  readonly type: 'signed-up' | 'signed-in' | 'password-changed' | 'mail-change-requested' | 'account-closed'
  /** Where the account is known. */
  readonly userId?: string
  /** Normalised: the account's, or the one that is asked for. Personal data. */
  readonly email?: string
}

/** Something that has happened to an account, as the audit record has it. No name, no secret. */
export interface AfterEvent {
  readonly type: AuthEvent
  /** Undefined when there is no such account. */
  readonly userId: string | undefined
  readonly sessionId: string | undefined
  /** The network address; IPv6 in its /64. Undefined when it was no request. */
  readonly address: string | undefined
  readonly device: string | undefined
  readonly country: string | undefined
}

/** An application's own steps. */
export interface AuthHooks {
  /** Called once the person has proved who they are and before anything is written. Throw a `BreakwaterError` to refuse. */
  before?(event: BeforeEvent): void | Promise<void>
  /** Called past the reply for each event, once it is written: a log, a CRM. What it throws changes nothing. */
  after?(event: AfterEvent): void | Promise<void>
}

/** Asks the application. */
export async function before(config: AuthConfig, event: BeforeEvent): Promise<void> {
  await config.hooks.before?.(event)
}

/** Tells the application, past the reply. */
export function after(
  config: AuthConfig,
  visitor: Visitor | undefined,
  type: AuthEvent,
  userId?: string | undefined,
  sessionId?: string | undefined,
): void {
  const { hooks } = config
  if (hooks.after === undefined) return
  const event: AfterEvent = {
    type,
    userId,
    sessionId,
    address: visitor?.address,
    device: visitor?.device ?? undefined,
    country: visitor?.country ?? undefined,
  }
  const told = (async () => hooks.after?.(event))()
  if (visitor === undefined) told.catch(() => {})
  else visitor.waitUntil(told)
}
