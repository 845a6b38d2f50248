import { type Auth, insideOf } from '../auth.ts'
import { isUuid } from '../token.ts'
import {
  disableUser,
  enableUser,
  listEvents,
  type PruneOptions,
  prune,
  type RecordedEvent,
  removeSecondFactor,
  reseal,
  setRoles,
} from './accounts.ts'

/** What administrators, operators and crons do to accounts. */
export interface Administration {
  /** Disables an account and ends its sessions with it. False when there is no such account. */
  disableUser(userId: string): Promise<boolean>
  /** Lets a disabled account in again. False when there is no such account. */
  enableUser(userId: string): Promise<boolean>
  /** Says what somebody may do, in words of the application. False when there is no such account. */
  setRoles(userId: string, roles: readonly string[]): Promise<boolean>
  /** Takes the second factors off an account whose owner lost them, and ends its sessions. False when there is none. */
  removeSecondFactor(userId: string): Promise<boolean>
  /** What happened to an account, the latest first; a hundred at most. */
  listEvents(userId: string): Promise<readonly RecordedEvent[]>
  /** Deletes what has expired. For a cron; gives the number of rows. */
  prune(options?: PruneOptions): Promise<number>
  /** Encrypts again, under the newest secret, what an older one opens. Gives the number; 0 when nothing is left. */
  reseal(limit?: number): Promise<number>
}

/**
 * The accounts of `auth`, for those who look after them. Nothing here asks who is calling: that is for the route, the
 * command or the cron that calls it.
 */
export function administration(auth: Auth): Administration {
  const { config } = insideOf(auth)
  return {
    disableUser: async (userId) => isUuid(userId) && disableUser(config, userId),
    enableUser: async (userId) => isUuid(userId) && enableUser(config, userId),
    setRoles: async (userId, roles) => isUuid(userId) && setRoles(config, userId, roles),
    removeSecondFactor: async (userId) => isUuid(userId) && removeSecondFactor(config, userId),
    listEvents: async (userId) => (isUuid(userId) ? listEvents(config, userId) : []),
    prune: (options) => prune(config, options),
    reseal: (limit) => reseal(config, limit),
  }
}
