import type { Problem } from './problem.ts'

/** A problem as a page for people: plain, readable without styles, without scripts. */
export function problemPage(problem: Problem): string {
  const html = (text: unknown): string =>
    String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
  const { title, status, detail, instance, errors = [], debug } = problem
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>${html(title)}</title></head><body><main><h1>${html(title)}</h1>${
    detail === undefined ? '' : `<p>${html(detail)}</p>`
  }${
    errors.length === 0
      ? ''
      : `<ul>${errors.map((fault) => `<li><code>${html(fault.pointer)}</code> ${html(fault.detail)}</li>`).join('')}</ul>`
  }<p><small>Status ${status}${
    instance === undefined
      ? ''
      : ` · Reference <code>${html(instance.slice(instance.lastIndexOf(':') + 1))}</code>`
  }</small></p>${
    debug === undefined ? '' : `<pre>${html(JSON.stringify(debug, null, 2))}</pre>`
  }</main></body></html>`
}
