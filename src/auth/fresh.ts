import { currentWork } from '../core/index.ts'
import { freshAuthenticationRequired, unauthenticated } from './errors.ts'
import type { Identification } from './identity.ts'

const WITHIN_SECONDS = 15 * 60

/**
 * What `requireFresh` asks of a request, of somebody who has only been claimed to be who is asking.
 * @throws BreakwaterError `unauthenticated`, `fresh-authentication-required`
 */
export function fresh(identity: Identification | undefined): Identification {
  if (identity === undefined) throw unauthenticated()
  const { authenticatedAt, id, userId } = identity.session
  const facts = currentWork()?.facts
  facts?.set('userId', userId)
  facts?.set('sessionId', id)
  if (Date.now() - authenticatedAt.getTime() > WITHIN_SECONDS * 1000) {
    throw freshAuthenticationRequired(WITHIN_SECONDS)
  }
  return identity
}
