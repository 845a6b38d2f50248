/** Thrown by a handler to say that trying again cannot help: the job is dead at once. */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError'
}

/** Thrown by a handler to choose by itself when the job is tried again. Counts as an attempt. */
export class RetryLater extends Error {
  override readonly name: string = 'RetryLater'
  /** Seconds until the next attempt. */
  readonly seconds: number

  constructor(seconds: number, options?: ErrorOptions & { message?: string }) {
    super(options?.message ?? 'The job asks to be tried again later', options)
    if (!(seconds >= 0)) throw new TypeError('RetryLater takes seconds, 0 or more')
    this.seconds = seconds
  }
}

/** The worker's lease ran out and somebody else has the job; what it did in its transaction is rolled back. */
export class LeaseLost extends Error {
  override readonly name: string = 'LeaseLost'

  constructor() {
    super('The lease of the job was lost')
  }
}

/** A handler took longer than its timeout. */
export class JobTimeout extends Error {
  override readonly name: string = 'JobTimeout'

  constructor(ms: number) {
    super(`The job took longer than ${ms} ms`)
  }
}

/** The reason of a handler's signal when somebody cancelled the job, or another worker has it. */
export class JobCancelled extends Error {
  override readonly name: string = 'JobCancelled'

  constructor() {
    super('The job was cancelled, or its lease was lost')
  }
}
