/** What a room keeps with an object that is not its own: a Hono context, a unit of work. */
export interface Slot<K extends object, T> {
  get(carrier: K): T | undefined
  /** `undefined` takes it away. */
  set(carrier: K, value: T | undefined): void
}

/**
 * A place with every object of a kind that only its maker finds, and that goes when the object goes. On the object itself:
 * an entry in a weak map for every request costs the garbage collector more than the request.
 */
export function slot<K extends object, T>(name: string): Slot<K, T> {
  const key = Symbol(name)
  type Carrier = { [key]?: T | undefined }
  return {
    get: (carrier) => (carrier as Carrier)[key],
    set: (carrier, value) => {
      ;(carrier as Carrier)[key] = value
    },
  }
}
