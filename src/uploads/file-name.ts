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
