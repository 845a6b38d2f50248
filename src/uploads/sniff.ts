/**
 * Media types by their first bytes. An own table rather than a library: the ones that are kept well know hundreds of
 * formats, read past the head, and weigh more than the whole upload capability; an allow-list names a dozen.
 */

/** How many bytes of the head decide. */
export const HEAD_BYTES = 4096

interface Signature {
  readonly type: string
  readonly offset: number
  /** Hexadecimal; `..` matches any byte. */
  readonly bytes: string
}

const SIGNATURES: readonly Signature[] = [
  { type: 'image/png', offset: 0, bytes: '89504e470d0a1a0a' },
  { type: 'image/jpeg', offset: 0, bytes: 'ffd8ff' },
  { type: 'image/gif', offset: 0, bytes: '474946383761' },
  { type: 'image/gif', offset: 0, bytes: '474946383961' },
  { type: 'image/webp', offset: 0, bytes: '52494646........57454250' },
  { type: 'image/bmp', offset: 0, bytes: '424d........00000000' },
  { type: 'image/tiff', offset: 0, bytes: '49492a00' },
  { type: 'image/tiff', offset: 0, bytes: '4d4d002a' },
  { type: 'image/vnd.microsoft.icon', offset: 0, bytes: '00000100' },
  { type: 'application/pdf', offset: 0, bytes: '255044462d' },
  { type: 'application/zip', offset: 0, bytes: '504b0304' },
  { type: 'application/zip', offset: 0, bytes: '504b0506' },
  { type: 'application/gzip', offset: 0, bytes: '1f8b08' },
  { type: 'audio/wav', offset: 0, bytes: '52494646........57415645' },
  { type: 'audio/mpeg', offset: 0, bytes: '494433' },
  { type: 'audio/mpeg', offset: 0, bytes: 'fffb' },
  { type: 'audio/mpeg', offset: 0, bytes: 'fff3' },
  { type: 'audio/mpeg', offset: 0, bytes: 'fff2' },
  { type: 'audio/flac', offset: 0, bytes: '664c6143' },
  { type: 'audio/ogg', offset: 0, bytes: '4f676753' },
  { type: 'font/woff2', offset: 0, bytes: '774f4632' },
]

const PATTERNS = SIGNATURES.map(({ type, offset, bytes }) => ({
  type,
  offset,
  pattern: (bytes.match(/../g) ?? []).map((pair) => (pair === '..' ? -1 : Number.parseInt(pair, 16))),
}))

/** ISO base media files name their brand after `ftyp`. */
const BRANDS: Readonly<Record<string, string>> = {
  avif: 'image/avif',
  avis: 'image/avif',
  heic: 'image/heic',
  heix: 'image/heic',
  mif1: 'image/heif',
  'qt  ': 'video/quicktime',
  'M4A ': 'audio/mp4',
  isom: 'video/mp4',
  iso2: 'video/mp4',
  iso5: 'video/mp4',
  iso6: 'video/mp4',
  mp41: 'video/mp4',
  mp42: 'video/mp4',
  avc1: 'video/mp4',
  dash: 'video/mp4',
  'M4V ': 'video/mp4',
  MSNV: 'video/mp4',
}

/** Documents that are zip archives, by a folder every one of them has. */
const ZIPPED: Readonly<Record<string, string>> = {
  'word/': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'xl/': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'ppt/': 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
}

/** Whether files of this type are zip archives inside. */
export function isZip(type: string): boolean {
  return type === 'application/zip' || Object.values(ZIPPED).includes(type)
}

/** Text has no signature: it is believed when it is clean UTF-8 and is not markup. */
const TEXT: readonly string[] = ['text/plain', 'text/csv', 'text/markdown', 'application/json']

const MARKUP: readonly string[] = ['text/html', 'image/svg+xml', 'application/xml']

const ALIASES: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'image/x-icon': 'image/vnd.microsoft.icon',
  'image/x-ms-bmp': 'image/bmp',
  'application/x-zip-compressed': 'application/zip',
  'application/x-gzip': 'application/gzip',
  'audio/mp3': 'audio/mpeg',
  'audio/x-wav': 'audio/wav',
  'audio/x-m4a': 'audio/mp4',
  'audio/m4a': 'audio/mp4',
  'audio/x-flac': 'audio/flac',
  'text/xml': 'application/xml',
  'text/x-markdown': 'text/markdown',
}

/** Every type that can be told by its bytes, and may therefore stand in an allow-list. */
export const KNOWN_TYPES: ReadonlySet<string> = new Set([
  ...SIGNATURES.map(({ type }) => type),
  ...Object.values(BRANDS),
  ...Object.values(ZIPPED),
  'video/webm',
  'video/x-matroska',
  ...TEXT,
  ...MARKUP,
])

/** A media type without its parameters, lower case, under its usual name; undefined when it says nothing. */
export function essence(mediaType: string | null | undefined): string | undefined {
  const bare = mediaType?.split(';')[0]?.trim().toLowerCase()
  if (!bare || bare === 'application/octet-stream' || bare === 'binary/octet-stream') return undefined
  return ALIASES[bare] ?? bare
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end))
}

function zipped(head: Uint8Array): string {
  // Names stand in clear in local file headers; the folder is there within the first few entries.
  const text = new TextDecoder('latin1').decode(head)
  for (const [folder, type] of Object.entries(ZIPPED)) {
    if (text.includes('[Content_Types].xml') && text.includes(folder)) return type
  }
  return 'application/zip'
}

function markup(text: string): string | undefined {
  const start = text
    .replace(/^\ufeff/, '')
    .trimStart()
    .toLowerCase()
  if (!start.startsWith('<')) return undefined
  const body = start
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<\?[\s\S]*?\?>/g, '')
    .trimStart()
  if (/^<!doctype\s+svg|^<svg[\s>]/.test(body) || (/^<!doctype/.test(body) && body.includes('<svg'))) {
    return 'image/svg+xml'
  }
  if (
    /^<(!doctype\s+html|html|head|body|script|iframe|style|title|a|img|div|p|br|table|h\d|meta|link|form)[\s/>]/.test(
      body,
    )
  ) {
    return 'text/html'
  }
  return start.startsWith('<?xml') ? 'application/xml' : undefined
}

function utf8(head: Uint8Array): string | undefined {
  try {
    // The head may end inside a character: streaming decoding lets that pass, and nothing else.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head, { stream: true })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point.
    return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

/** What the first bytes of a file say it is; `text` when they are clean text of no telling kind. */
export function sniff(head: Uint8Array): string | undefined {
  for (const { type, offset, pattern } of PATTERNS) {
    if (head.length < offset + pattern.length) continue
    if (pattern.every((byte, i) => byte === -1 || byte === head[offset + i])) {
      return type === 'application/zip' ? zipped(head) : type
    }
  }
  if (head.length >= 12 && latin1(head, 4, 8) === 'ftyp') return BRANDS[latin1(head, 8, 12)]
  if (head.length >= 4 && head[0] === 0x1a && head[1] === 0x45 && head[2] === 0xdf && head[3] === 0xa3) {
    return latin1(head, 0, 64).includes('webm') ? 'video/webm' : 'video/x-matroska'
  }
  const text = utf8(head)
  if (text === undefined) return undefined
  return markup(text) ?? 'text'
}

/** What {@link agreeOnType} found. */
export type TypeVerdict =
  | { readonly ok: true; readonly type: string }
  | { readonly ok: false; readonly detail: string }

/**
 * Decides the type of a file: by its bytes, which must be of an allowed type, and of the declared one where one was
 * declared. A client's word is never enough, save among kinds of plain text, which no byte tells apart.
 */
export function agreeOnType(
  head: Uint8Array,
  declared: string | undefined,
  allowed: readonly string[],
): TypeVerdict {
  const found = sniff(head)
  if (found === undefined) return { ok: false, detail: 'The file is of no type that is accepted here.' }
  if (found === 'text') {
    const type = declared ?? allowed.find((type) => TEXT.includes(type))
    if (type !== undefined && TEXT.includes(type) && allowed.includes(type)) return { ok: true, type }
    return { ok: false, detail: 'The file is text, which is not accepted here.' }
  }
  if (!allowed.includes(found)) return { ok: false, detail: `Files of type ${found} are not accepted here.` }
  if (declared !== undefined && declared !== found) {
    return { ok: false, detail: `The file was announced as another type than its bytes are (${found}).` }
  }
  return { ok: true, type: found }
}
