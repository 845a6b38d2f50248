const MAX_NAME = 200

// Control characters, and the marks that turn text around: "photo\u202Egpj.exe" must not read as a picture.
const UNSAFE = /[\p{Cc}\p{Cs}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

/**
 * What a client calls its file, made safe to store and to hand back: no folders, no control or direction marks,
 * at most 200 characters with the extension kept, never empty.
 */
export function cleanFileName(name: string | undefined): string {
  const base = (name ?? '').toWellFormed().normalize('NFC').split(/[\\/]/).at(-1) ?? ''
  const clean = base.replace(UNSAFE, '').trim().replace(/^\.+/, '')
  if (clean === '') return 'file'
  const characters = [...clean]
  if (characters.length <= MAX_NAME) return clean
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(clean)?.[0] ?? ''
  return characters.slice(0, MAX_NAME - extension.length).join('') + extension
}

/** What names of files of a type end in; the first is the usual one. */
const EXTENSIONS: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpg jpeg jpe jfif',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/bmp': 'bmp dib',
  'image/tiff': 'tif tiff',
  'image/svg+xml': 'svg',
  'application/pdf': 'pdf',
  'application/zip': 'zip',
  'application/gzip': 'gz tgz',
  'application/json': 'json',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/flac': 'flac',
  'audio/ogg': 'ogg oga opus',
  'audio/mp4': 'm4a',
  'video/mp4': 'mp4 m4v',
  'video/webm': 'webm',
  'text/plain': 'txt text log',
  'text/csv': 'csv',
  'text/markdown': 'md markdown',
  'text/html': 'html htm',
}

/**
 * A name that ends as files of this type do: `holiday.exe` that is a picture becomes `holiday.exe.png`, since it is the
 * name by which a computer decides what to do with it. Of a type that is not known, as it is.
 */
export function fittingName(name: string, type: string): string {
  const fitting = EXTENSIONS[type]?.split(' ')
  const extension = /\.([A-Za-z0-9]{1,10})$/.exec(name)?.[1]?.toLowerCase() ?? ''
  return fitting === undefined || fitting.includes(extension) ? name : `${name}.${fitting[0]}`
}

/** A `Content-Disposition` value (RFC 6266) that every browser reads, with the real name in UTF-8 (RFC 8187). */
export function contentDisposition(disposition: 'inline' | 'attachment', name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]/gu, '_').replace(/["\\%]/g, '_')
  const plain = `${disposition}; filename="${ascii}"`
  if (ascii === name) return plain
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${plain}; filename*=UTF-8''${encoded}`
}
