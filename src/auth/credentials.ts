import { isBreakwaterError, type LimitRequest } from '../core/index.ts'
import type { AuthConfig } from './config.ts'
import { openDevice } from './device-cookie.ts'
import { announceEnd } from './session-end.ts'
import type { Visitor } from './visitor.ts'

/** What a try at a password counts in. */
export interface CredentialRequests {
  readonly requests: readonly LimitRequest[]
  /** Whether the device has signed in to this account before. */
  readonly known: boolean
}

/**
 * The buckets that a try at a password counts in: the address's, and the account's, or, from a device that has
 * signed in to the account before, that device's own.
 */
export async function credentialRequests(
  config: AuthConfig,
  email: string,
  device: string | undefined,
  visitor: Visitor,
): Promise<CredentialRequests> {
  const nonce = await openDevice(config.secrets, email, device)
  const account = nonce === undefined ? `account:${email}` : `account:${email}:device:${nonce}`
  return {
    requests: [
      { policy: 'credentials', key: `address:${visitor.address}` },
      { policy: 'credentials', key: account },
    ],
    known: nonce !== undefined,
  }
}

/**
 * Counts `work` as a try at a password. Only a wrong password stays counted: success costs nothing, and neither
 * does a failure of ours, or an overload would lock out whoever patiently tries again.
 * @param ending whose sessions will end if `work` succeeds: the mark that says so then costs no round trip of its own.
 * @throws BreakwaterError `quota-exceeded`, and whatever `work` throws
 */
export async function asATry<T>(
  config: AuthConfig,
  requests: readonly LimitRequest[],
  visitor: Visitor,
  work: () => Promise<T>,
  ending?: string,
): Promise<T> {
  await announceEnd(config, ending, visitor, requests)
  let wrong = false
  try {
    return await work()
  } catch (error) {
    wrong = isBreakwaterError(error) && error.code === 'invalid-credentials'
    throw error
  } finally {
    if (!wrong) visitor.later(() => config.throttle.refund(requests))
  }
}
