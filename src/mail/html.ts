/** Markup in which every value was escaped. Only {@link html} makes it. */
export class Html {
  readonly #markup: string

  constructor(markup: string, key: typeof KEY) {
    if (key !== KEY) throw new TypeError('Markup is made by html`…`')
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

const KEY: unique symbol = Symbol('html')

/** What may stand in {@link html}: text, which is escaped; markup, which is not; nothing, for what is false or missing. */
export type HtmlValue = string | number | Html | readonly Html[] | false | null | undefined

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  // Ends an attribute's value in old readers of mail.
  '`': '&#96;',
}

/** Text as HTML shows it, between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"'`]/g, (char) => ENTITIES[char] ?? char)
}

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return ''
  if (Array.isArray(value)) return value.map(markupOf).join('')
  return value instanceof Html ? value.toString() : escapeHtml(String(value))
}

/** `href="` and its like, at the end of the markup before a value. */
const LINK = /\s(?:href|src|action|background)\s*=\s*(["'])$/i
/** A value outside of quotes would be no longer one value. */
const UNQUOTED = /=\s*$/

/**
 * Markup with values in it: html`<p>Dear ${name}</p>`. Text is escaped, whatever it holds. Attributes that take values
 * must be quoted, and addresses in `href` and `src` begin with `https:`, `http:`, `mailto:` or `cid:`.
 *
 * @throws TypeError for an attribute without quotes, and for any other kind of address, which repeats neither.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let markup = strings[0] ?? ''
  for (const [i, value] of values.entries()) {
    if (UNQUOTED.test(markup)) throw new TypeError('html: quote the attributes that take values')
    const text = markupOf(value)
    if (LINK.test(markup) && !/^(?:https?:\/\/|mailto:|cid:)/i.test(text))
      throw new TypeError('html: an address begins with https://, http://, mailto: or cid:')
    markup += text + (strings[i + 1] ?? '')
  }
  return new Html(markup, KEY)
}
