/** A session with one worker's V8, over the Chrome DevTools Protocol. */
export interface Inspector {
  send<T>(method: string, params?: Readonly<Record<string, unknown>>): Promise<T>
  close(): void
}

/** Connects to a worker by its name. workerd has a session for each of its services. */
export async function inspect(port: number, worker: string): Promise<Inspector> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${encodeURIComponent(worker).replaceAll('%3A', ':')}`)
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let last = 0
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number
      result: never
      error?: { message: string }
    }
    const one = id === undefined ? undefined : waiting.get(id)
    if (id === undefined || one === undefined) return
    waiting.delete(id)
    if (error) one.reject(new Error(error.message))
    else one.resolve(result)
  })
  const gone = (): void => {
    for (const { reject } of waiting.values()) reject(new Error('The inspector has hung up'))
    waiting.clear()
  }
  socket.addEventListener('close', gone)
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('error', () => reject(new Error('The inspector does not answer')), { once: true })
  })
  return {
    send: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = ++last
        waiting.set(id, { resolve, reject })
        socket.send(JSON.stringify({ id, method, params }))
      }),
    close: () => socket.close(),
  }
}
