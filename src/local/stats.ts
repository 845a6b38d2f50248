/** What a stand-in has served since it started or was last reset. */
export interface Stats {
  /** When counting began, ISO 8601. */
  readonly since: string
  /** HTTP requests, WebSocket upgrades included. */
  readonly total: number
  /** HTTP requests by `METHOD /path`. */
  readonly requests: Readonly<Record<string, number>>
  readonly webSockets: {
    /** Connections opened. */
    readonly connections: number
    /** Data messages from clients. */
    readonly received: number
    /** Data messages to clients. */
    readonly sent: number
    /** Times a client spoke, to begin with or after the server had: what the network's latency is paid for. */
    readonly roundTrips: number
  }
  /** What the stand-in itself counts, such as Redis commands. */
  readonly counters: Readonly<Record<string, number>>
}

/** Paths may carry ids; past this many different ones they are counted together. */
const MAX_PATHS = 500

/** Counts for one stand-in. */
export class Counts {
  #since = new Date()
  #total = 0
  #requests = new Map<string, number>()
  #sockets = { connections: 0, received: 0, sent: 0, roundTrips: 0 }
  readonly #counters: Map<string, number> | undefined

  constructor(counters?: Map<string, number>) {
    this.#counters = counters
  }

  request(method: string, path: string): void {
    this.#total++
    let key = `${method} ${path}`
    if (!this.#requests.has(key) && this.#requests.size >= MAX_PATHS) key = `${method} (other paths)`
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
  }

  socket(what: 'connections' | 'received' | 'sent' | 'roundTrips'): void {
    this.#sockets[what]++
  }

  reset(): void {
    this.#since = new Date()
    this.#total = 0
    this.#requests.clear()
    this.#sockets = { connections: 0, received: 0, sent: 0, roundTrips: 0 }
    this.#counters?.clear()
  }

  snapshot(): Stats {
    return {
      since: this.#since.toISOString(),
      total: this.#total,
      requests: Object.fromEntries(this.#requests),
      webSockets: { ...this.#sockets },
      counters: Object.fromEntries(this.#counters ?? []),
    }
  }
}
