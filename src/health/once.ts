/** A settled answer and when it was found. */
export interface Settled<T> {
  readonly value: T
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What {@link createOnce} takes. All in milliseconds. */
export interface OnceOptions {
  /** How long an answer is new. */
  readonly freshFor: number
  /** How long the work can take at most; after that, whoever began it is taken to be gone. */
  readonly deadline: number
  /** How often somebody who waits looks again. Default 20. */
  readonly poll?: number
}

/**
 * Lets one caller at a time do some work, and the others have its answer.
 *
 * Not by sharing its promise: in Workers a promise that waits on one request's I/O may never settle for
 * another, and hangs for good when that request is aborted. Only settled answers are shared. While one caller
 * works the others get the answer before, if it is not too old, or look again on timers of their own.
 */
export function createOnce<T>(options: OnceOptions): (work: () => Promise<T>) => Promise<Settled<T>> {
  const { freshFor, deadline, poll = 20 } = options
  let last: Settled<T> | undefined
  let began: number | undefined

  const isYoung = (age: number): boolean => last !== undefined && Date.now() - last.at < age
  // A little longer than the deadline, since timers are late rather than early.
  const isBusy = (): boolean => began !== undefined && Date.now() - began < deadline + 5 * poll

  return async function once(work) {
    while (!isYoung(freshFor) && isBusy()) {
      if (isYoung(freshFor + deadline)) break
      await new Promise((resolve) => setTimeout(resolve, poll))
    }
    if (last && (isYoung(freshFor) || (isBusy() && isYoung(freshFor + deadline)))) return last

    const mine = Date.now()
    began = mine
    try {
      const value = await work()
      last = { value, at: Date.now() }
      return last
    } finally {
      if (began === mine) began = undefined
    }
  }
}
