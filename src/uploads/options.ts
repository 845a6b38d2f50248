import type { Context, Env } from 'hono'
import { BreakwaterError } from '../core/errors.ts'
import type { Enqueue } from '../core/ports.ts'
import { type Duration, milliseconds } from '../core/time.ts'
import { checkAccess, type DirectAccess } from './direct/presign.ts'
import type { UploadQuota, UploadsDatabase } from './records.ts'
import { KNOWN_TYPES } from './sniff.ts'
import { checkVariants, type ImageVariant } from './variants.ts'

/** A kind of upload: what it may be and who may read it. */
export interface UploadKind {
  /** Media types allowed, such as `image/png`. Each must be one that can be told by its bytes. */
  readonly types: readonly string[]
  /** Largest size in bytes. Cloudflare itself cuts request bodies at 100 MB on its Free and Pro plans. */
  readonly maxBytes: number
  /** `owner` (default): nobody else can read it. `public`: anyone who knows its address can. */
  readonly visibility?: 'owner' | 'public'
  /** Largest picture in pixels, width times height: a small file can decode to gigabytes. Default 50,000,000. */
  readonly maxPixels?: number
  /**
   * Removes what JPEG, PNG and WebP tell about the person behind them (place, time, device, names) before they are
   * published. They are rewritten in memory, so that `maxBytes` is then at most 25 MB. Default false.
   */
  readonly stripMetadata?: boolean
  /** How much an archive may hold: a zip (and documents that are zips) by what it announces, a gzip by unpacking it. Default 10,000 files, 1 GB. */
  readonly archive?: { readonly maxFiles?: number; readonly maxUnpackedBytes?: number }
  /** Smaller pictures, by name: `GET /:id/variants/:name`. There are no others: a stranger's numbers make no work. Needs `images`. */
  readonly variants?: Readonly<Record<string, ImageVariant>>
  /** `Cache-Control` of what is handed out. Default `public, max-age=3600` or `private, no-cache`, by the visibility. */
  readonly cacheControl?: string
}

/** A kind with its defaults. */
export type ResolvedKind = Required<Omit<UploadKind, 'cacheControl' | 'archive'>> &
  Pick<UploadKind, 'cacheControl'> & { readonly archive: Required<NonNullable<UploadKind['archive']>> }

/** What a scanner is given. */
export interface ScanSubject {
  readonly id: string
  readonly kind: string
  readonly type: string
  readonly size: number
  readonly sha256: string
  /** Opens the stored bytes. May be called again. */
  open(): Promise<ReadableStream<Uint8Array>>
}

/** What a scanner says. `reason` is a word kept with the row, such as `malware`. */
export type ScanVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** How uploads are set up. */
export interface UploadsOptions<E extends Env = Env, K extends string = string> {
  readonly db: UploadsDatabase
  /** The R2 bucket, or how to find it. Give it as a value where `process` and `sweep` are used. */
  readonly bucket: R2Bucket | ((c: Context<E>) => R2Bucket)
  /** The UUID of whoever is asking; undefined when nobody is signed in. */
  readonly owner: (c: Context<E>) => string | undefined
  /** The kinds of uploads by name. A request names one: `POST /uploads?kind=avatar`. */
  readonly kinds: Readonly<Record<K, UploadKind>>
  /** How much an owner may have. Default 1 GB and 10,000 files. */
  readonly quota?: UploadQuota | ((c: Context<E>, ownerId: string) => UploadQuota | Promise<UploadQuota>)
  /**
   * Puts the job `upload.process` on a queue, in the transaction that stores the upload. Its input is `{ id }`; its
   * handler calls {@link Uploads.process}. Absent: an upload is processed before its request is answered.
   */
  readonly enqueue?: Enqueue
  /** Lets clients send straight to the bucket, by addresses signed for one length and type. Absent: `/direct` is not there. */
  readonly direct?: DirectAccess
  /** Signs addresses that open one private upload for a time; newest first. Absent: there are none. */
  readonly secrets?: readonly string[]
  /** Where signed addresses point to, such as a host of its own that no cookie of the app reaches. Default: where asked. */
  readonly origin?: string
  /**
   * The Cloudflare Images binding, which makes variants, or how to find it. Where there is none, who asks for a variant
   * is sent to the original.
   */
  readonly images?: ImagesBinding | ((c: Context<E>) => ImagesBinding | undefined)
  /** Looks at the stored bytes before they are published, such as a virus scanner. */
  readonly scan?: (subject: ScanSubject, options: { readonly signal: AbortSignal }) => Promise<ScanVerdict>
  /** Types shown in the page rather than downloaded. Default: pictures, sound and film that cannot carry script. */
  readonly inline?: readonly string[]
  /** Begins every key in the bucket. Default `uploads/`. */
  readonly prefix?: string
  /** A client that sends no byte for so long is given up. Default 30 s. */
  readonly stallTimeout?: Duration
  /** How long a resumable or direct upload may take, pauses included; at most 6 days, since R2 forgets parts after 7. Default 1 d. */
  readonly resumableFor?: Duration
  /** An upload that has not moved for so long is swept: its room is freed, its processing is tried again. Default 1 h. */
  readonly staleAfter?: Duration
}

/** Shown inline by default: passive media only. SVG and HTML carry script, PDF too. */
const INLINE_TYPES: readonly string[] = [
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'audio/mpeg',
  'audio/mp4',
  'audio/ogg',
  'audio/wav',
  'audio/flac',
  'video/mp4',
  'video/webm',
]
const NEVER_INLINE = ['text/html', 'image/svg+xml', 'application/xml']

/** Options with every default filled in. */
export interface ResolvedOptions<E extends Env> {
  readonly db: UploadsDatabase
  readonly bucket: (c: Context<E> | undefined) => R2Bucket
  readonly owner: (c: Context<E>) => string | undefined
  readonly kinds: ReadonlyMap<string, ResolvedKind>
  readonly quota: (c: Context<E>, ownerId: string) => UploadQuota | Promise<UploadQuota>
  readonly enqueue: Enqueue | undefined
  readonly scan: UploadsOptions<E>['scan']
  readonly direct: DirectAccess | undefined
  readonly images: (c: Context<E>) => ImagesBinding | undefined
  readonly secrets: readonly string[]
  readonly origin: string | undefined
  readonly inline: ReadonlySet<string>
  readonly prefix: string
  readonly stallMs: number
  readonly staleMs: number
  readonly resumableMs: number
}

/** @throws TypeError when an option is wrong. */
export function resolveOptions<E extends Env>(options: UploadsOptions<E>): ResolvedOptions<E> {
  const { bucket, images, quota = { bytes: 1e9 }, prefix = 'uploads/' } = options
  const kinds = new Map<string, ResolvedKind>()
  for (const [name, kind] of Object.entries<UploadKind>(options.kinds)) {
    if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(name)) {
      throw new TypeError(`uploads: the kind "${name}" needs a name of small letters, digits and dashes`)
    }
    if (kind.types.length === 0) throw new TypeError(`uploads: the kind "${name}" allows no type`)
    for (const type of kind.types) {
      if (!KNOWN_TYPES.has(type)) {
        throw new TypeError(
          `uploads: the kind "${name}" allows ${type}, which cannot be told by its bytes; known are ${[...KNOWN_TYPES].sort().join(', ')}`,
        )
      }
    }
    if (!Number.isSafeInteger(kind.maxBytes) || kind.maxBytes < 1) {
      throw new TypeError(
        `uploads: maxBytes of the kind "${name}" must be a whole number of bytes, 1 or more`,
      )
    }
    checkVariants(name, kind.variants ?? {})
    if (kind.stripMetadata && kind.maxBytes > 25_000_000) {
      throw new TypeError(`uploads: the kind "${name}" strips metadata, which takes files up to 25 MB`)
    }
    kinds.set(name, {
      visibility: 'owner',
      maxPixels: 50_000_000,
      stripMetadata: false,
      variants: {},
      ...kind,
      archive: { maxFiles: 10_000, maxUnpackedBytes: 1e9, ...kind.archive },
    })
  }
  if (kinds.size === 0) throw new TypeError('uploads: declare at least one kind')
  const active = options.inline?.find((type) => NEVER_INLINE.includes(type))
  if (active !== undefined) {
    throw new TypeError(`uploads: ${active} can carry script and must never be shown inline`)
  }
  if (!/^([\w-]+\/)*$/.test(prefix))
    throw new TypeError(`uploads: the prefix "${prefix}" must end in a slash`)
  if (options.secrets?.some((secret) => secret.length < 32))
    throw new TypeError('uploads: each of secrets needs 32 characters or more')
  if (options.origin !== undefined && !URL.canParse(options.origin))
    throw new TypeError('uploads: origin is no URL')
  if (typeof quota !== 'function' && !(quota.bytes > 0))
    throw new TypeError('uploads: quota.bytes must be above 0')
  const resumableMs = milliseconds(options.resumableFor ?? '1 d')
  if (resumableMs > 6 * 86_400_000) throw new TypeError('uploads: resumableFor is at most 6 days')
  return {
    db: options.db,
    bucket(c) {
      if (typeof bucket !== 'function') return bucket
      if (c === undefined) {
        throw new TypeError(
          'uploads: give the bucket as a value, or to process() and sweep(), outside of requests',
        )
      }
      return bucket(c)
    },
    owner: options.owner,
    kinds,
    quota: typeof quota === 'function' ? quota : () => quota,
    enqueue: options.enqueue,
    scan: options.scan,
    secrets: options.secrets ?? [],
    origin: options.origin,
    images: typeof images === 'function' ? images : () => images,
    direct: options.direct && checkAccess(options.direct),
    inline: new Set(options.inline ?? INLINE_TYPES),
    prefix,
    stallMs: milliseconds(options.stallTimeout ?? '30 s'),
    staleMs: milliseconds(options.staleAfter ?? '1 h'),
    resumableMs,
  }
}

/** A kind by its name, as a request gives it; `pointer` says where. */
export function kindOf<E extends Env>(
  name: string | undefined,
  pointer: string,
  { kinds }: ResolvedOptions<E>,
): { readonly name: string; readonly kind: ResolvedKind } {
  const kind = kinds.get(name ?? '')
  if (name === undefined || kind === undefined) {
    throw new BreakwaterError('validation-failed', {
      status: 422,
      fields: [{ pointer, detail: `must be one of ${[...kinds.keys()].join(', ')}` }],
    })
  }
  return { name, kind }
}
