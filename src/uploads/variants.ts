import { toHex } from '../core/bytes.ts'
import { span } from '../core/work.ts'
import type { UploadRow } from './records.ts'

/** A smaller picture made from an uploaded one. Metadata do not come along. */
export interface ImageVariant {
  /** Pixels, 1 to 4096. At least one of width and height. */
  readonly width?: number
  readonly height?: number
  /**
   * How it fills width and height: `scale-down` (default) shrinks and never enlarges, `contain` fits in, `cover` fills
   * and cuts off what is beyond.
   */
  readonly fit?: 'scale-down' | 'contain' | 'cover'
  /** Default `image/webp`. */
  readonly format?: 'image/webp' | 'image/avif' | 'image/jpeg' | 'image/png'
  /** 1 to 100. Default: Cloudflare's own for the format. */
  readonly quality?: number
}

const LARGEST = 4096
/** More than the largest variant takes, in any format. */
const MAX_BYTES = 20_000_000

/** Pictures that variants can be made of. */
const SOURCES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']

/** @throws TypeError when a variant has no good name or no good size. */
export function checkVariants(kind: string, variants: Readonly<Record<string, ImageVariant>>): void {
  for (const [name, { width, height, quality }] of Object.entries(variants)) {
    const wrong = (what: string): never => {
      throw new TypeError(`uploads: the variant "${name}" of the kind "${kind}" ${what}`)
    }
    if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(name)) wrong('needs a name of small letters, digits and dashes')
    const sizes = [width, height].filter((size) => size !== undefined)
    if (sizes.length === 0) wrong('needs a width or a height')
    if (sizes.some((size) => !Number.isInteger(size) || size < 1 || size > LARGEST))
      wrong(`needs a size of 1 to ${LARGEST} pixels`)
    if (quality !== undefined && !(quality >= 1 && quality <= 100)) wrong('needs a quality of 1 to 100')
  }
}

/** What tells a definition from others: a variant that is declared anew is made anew. */
function definition({
  width,
  height,
  fit = 'scale-down',
  format = 'image/webp',
  quality,
}: ImageVariant): string {
  return [width ?? '', height ?? '', fit, format, quality ?? ''].join(' ')
}

const keyOf = (key: string, name: string): string => `${key}.v/${name}`

/** The key of the object that a variant's key belongs to; any other key is its own. */
export function originOf(key: string): string {
  return key.replace(/\.v\/[a-z0-9-]+$/, '')
}

function fileName(name: string, variant: string, format: string): string {
  return `${name.replace(/\.[A-Za-z0-9]{1,10}$/, '')}-${variant}.${format.split('/')[1]}`
}

async function whole(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
  if (bytes.length > MAX_BYTES) throw new RangeError('the variant is too large')
  return bytes
}

/** What a variant is made with. */
export interface VariantTools {
  readonly bucket: R2Bucket
  readonly images: ImagesBinding
}

/**
 * A variant of a published upload, as something to serve: made when it is first asked for, then kept in the bucket
 * beside the original. Undefined when there is none to be had: no picture, or one that cannot be read.
 */
export async function findVariant(
  row: UploadRow,
  name: string,
  variant: ImageVariant,
  { bucket, images }: VariantTools,
): Promise<UploadRow | undefined> {
  const { type, version } = row
  if (type === null || version === null || !SOURCES.includes(type)) return undefined
  const { fit = 'scale-down', format = 'image/webp', width, height, quality } = variant
  const key = keyOf(row.key, name)
  const made = definition(variant)
  const as = (object: R2Object, sha256: string): UploadRow => ({
    ...row,
    key,
    type: format,
    size: object.size,
    sha256,
    version: object.version,
    originalName: fileName(row.originalName, name, format),
  })
  const kept = await span('object-store', 'head', () => bucket.head(key))
  const digest = kept?.checksums.sha256
  if (kept && digest && kept.customMetadata?.['of'] === version && kept.customMetadata['as'] === made) {
    return as(kept, toHex(new Uint8Array(digest)))
  }
  const original = await span('object-store', 'get', () => bucket.get(row.key))
  if (original === null || original.version !== version) {
    await original?.body.cancel()
    return undefined
  }
  const bytes = await span('images', 'transform', async () => {
    const result = await images
      .input(original.body)
      .transform({ fit, ...(width !== undefined && { width }), ...(height !== undefined && { height }) })
      .output({ format, ...(quality !== undefined && { quality }) })
    return whole(result.image())
  })
  const sha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
  const object = await span('object-store', 'put', () =>
    bucket.put(key, bytes, {
      httpMetadata: { contentType: format },
      customMetadata: { of: version, as: made },
      sha256,
    }),
  )
  return as(object, sha256)
}
