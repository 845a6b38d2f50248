import type { Policy } from './policy.ts'

/** The names of the policies that come with Breakwater. */
export type PresetName =
  | 'default'
  | 'credentials'
  | 'registration'
  | 'reset'
  | 'message'
  | 'expensive'
  | 'export'
  | 'sensitive'
  | 'webhook'

/**
 * Policies for what every product has. Override any by giving one of the same name.
 */
export const presets: Readonly<Record<PresetName, Policy>> = {
  /**
   * Every request. Five a second sustained is more than a person makes and less than a scraper wants; an
   * office behind one address still fits. The site stays up when the store does not.
   */
  default: { quota: 300, window: '1 m', penalty: { after: 100, ceiling: '15 m' }, onStoreFailure: 'local' },
  /**
   * Checking a password or a code. Ten tries in a quarter of an hour forgive every honest mistake and make an
   * online guess hopeless. The block has a low ceiling, since a stranger can bring it upon an account's owner.
   * Counted locally in an outage: closed would lock everybody out, open would invite guessing.
   */
  credentials: { quota: 10, window: '15 m', penalty: { after: 5, ceiling: '1 h', decay: '6 h' } },
  /** Making accounts. A family or a classroom fits; a farm does not. */
  registration: {
    quota: 10,
    window: '1 h',
    algorithm: 'fixed-window',
    penalty: { after: 10, ceiling: '24 h' },
  },
  /** Asking for a password reset or a fresh verification mail: each one lands in somebody's inbox. */
  reset: { quota: 5, window: '1 h', penalty: { after: 5, ceiling: '6 h' } },
  /** Whatever sends mail or text to an address of the caller's choice. Costs money, so closed in an outage. */
  message: { quota: 20, window: '1 h', algorithm: 'token-bucket', burst: 5, onStoreFailure: 'closed' },
  /** Searches, reports, image work: a short burst, then a steady trickle. */
  expensive: { quota: 30, window: '1 m', algorithm: 'token-bucket', burst: 10 },
  /** Taking all one's data away at once. A few a day; closed in an outage, since it can always wait. */
  export: { quota: 5, window: '24 h', algorithm: 'fixed-window', onStoreFailure: 'closed' },
  /** Changing a password, an address, a second factor. Closed in an outage: an attacker's favourite moment. */
  sensitive: {
    quota: 20,
    window: '15 m',
    penalty: { after: 10, ceiling: '6 h' },
    onStoreFailure: 'closed',
  },
  /**
   * Machines that call back. They burst after an outage of their own, and retry what is refused; their
   * signature is checked anyway, so an outage of the store lets them through.
   */
  webhook: { quota: 600, window: '1 m', algorithm: 'token-bucket', burst: 1200, onStoreFailure: 'open' },
}
