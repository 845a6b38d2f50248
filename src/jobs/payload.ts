import { PermanentError } from './errors.ts'

/** The part of an R2 bucket that jobs use. */
export interface PayloadBucket {
  put(key: string, value: string): Promise<unknown>
  get(key: string): Promise<{ text(): Promise<string> } | null>
  delete(keys: string[]): Promise<void>
}

/** Where inputs go that are too large for a row. */
export interface PayloadOptions {
  /** An R2 bucket. Objects are called `jobs/<id>.json` and go when their job is pruned. */
  readonly bucket: PayloadBucket
  /** From how many characters of JSON an input goes there. Default 32,768. */
  readonly above?: number
}

/** Inputs live in a row; past this they belong into an object store. */
const MAX_ROW = 262_144
const MAX_OBJECT = 25_000_000

/** How long an input may be, in characters of JSON. */
export const maxInput = (payloads: PayloadOptions | undefined): number => (payloads ? MAX_OBJECT : MAX_ROW)

/**
 * Stores an input outside of its row if it is large. Written before the row: a row whose object is missing cannot
 * come to be; an object whose row was rolled back is litter, for a lifecycle rule of the bucket.
 */
export async function storeInput(
  payloads: PayloadOptions | undefined,
  id: string,
  text: string,
): Promise<string | undefined> {
  if (payloads === undefined || text.length <= (payloads.above ?? 32_768)) return undefined
  const key = `jobs/${id}.json`
  await payloads.bucket.put(key, text)
  return key
}

/** Reads an input, wherever it lies. */
export async function loadInput(
  payloads: PayloadOptions | undefined,
  row: { readonly input: unknown; readonly inputObject: string | null },
): Promise<unknown> {
  if (row.inputObject === null) return row.input
  if (payloads === undefined)
    throw new PermanentError('The input lies in an object store, and createJobs was given none')
  const object = await payloads.bucket.get(row.inputObject)
  if (object === null) throw new PermanentError('The input is no longer in the object store')
  return JSON.parse(await object.text())
}

/** Removes what belonged to pruned jobs. What fails is litter, and costs nothing but its bytes. */
export async function dropInputs(
  payloads: PayloadOptions | undefined,
  keys: readonly string[],
): Promise<void> {
  if (payloads !== undefined && keys.length > 0) await payloads.bucket.delete([...keys]).catch(() => {})
}
