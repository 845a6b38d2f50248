import { html, raw } from 'hono/html'
import type { HtmlEscapedString } from 'hono/utils/html'

/** Markup in which everything that was put in has been escaped. */
export type Markup = HtmlEscapedString | Promise<HtmlEscapedString>

/** What a page of a stand-in is made of. */
export interface Page {
  readonly title: string
  /** A way up, shown before the title. */
  readonly back?: { readonly href: string; readonly text: string }
  readonly body: Markup
  /** Looks for news every two seconds and shows them, while the page is in view. */
  readonly live?: boolean
}

const STYLE = `
:root{color-scheme:light dark;--line:light-dark(#dcdfe4,#383c44);--dim:light-dark(#5d6470,#9aa1ad);--panel:light-dark(#f5f6f8,#1e2126);--accent:light-dark(#0b62c4,#7db8ff);--bad:light-dark(#b3261e,#ff8a80);--warn:light-dark(#8a5a00,#f2c14e);--good:light-dark(#1b7a3d,#7fd69b)}
*{box-sizing:border-box}body{margin:0;font:15px/1.5 system-ui,sans-serif;background:light-dark(#fff,#15171b);color:light-dark(#1a1d21,#e6e8eb)}
header{padding:.9rem 1.5rem;border-bottom:1px solid var(--line);display:flex;gap:.8rem;align-items:baseline;flex-wrap:wrap}
header h1{font-size:1.1rem;margin:0;font-weight:600;overflow-wrap:anywhere}main{max-width:72rem;margin:0 auto;padding:1.2rem 1.5rem 4rem}
h2{font-size:1rem;margin:1.8rem 0 .5rem}a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:500;color:var(--dim);font-size:.85rem}th,td{padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
pre,code{font:13px/1.5 ui-monospace,monospace}pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.8rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:.4rem 0}
nav.filter{display:flex;gap:.9rem;flex-wrap:wrap;margin:0 0 1rem}nav.filter a[aria-current]{font-weight:600;color:inherit}
form{display:inline}button{font:inherit;font-size:.85rem;padding:.15rem .6rem;border:1px solid var(--line);border-radius:5px;background:var(--panel);color:inherit;cursor:pointer}button:hover{border-color:var(--dim)}
.dim{color:var(--dim)}.num{font-variant-numeric:tabular-nums;white-space:nowrap}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}.empty{color:var(--dim);padding:2.5rem 0;text-align:center}
iframe{width:100%;height:32rem;border:1px solid var(--line);border-radius:6px;background:#fff}
.bar{position:relative;height:1.1rem;background:var(--panel);min-width:10rem}.bar i{position:absolute;top:0;bottom:0;background:var(--accent);opacity:.55;min-width:2px}
.cut{white-space:nowrap;overflow:hidden;text-overflow:ellipsis;max-width:30rem}
`

const LIVE = `
setInterval(async()=>{
  if(document.hidden||document.activeElement?.matches('input,select'))return
  try{
    const page=new DOMParser().parseFromString(await(await fetch(location.href)).text(),'text/html').querySelector('main')
    const main=document.querySelector('main')
    if(page&&main&&page.innerHTML!==main.innerHTML)main.replaceWith(page)
  }catch{}
},2000)
`

/** A whole page, with headers that let nothing from elsewhere in. */
export async function renderPage({ title, back, body, live }: Page): Promise<Response> {
  const nonce = crypto.randomUUID()
  const text = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Breakwater</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<header>${back ? html`<a href="${back.href}">${back.text}</a>` : ''}<h1>${title}</h1></header>
<main>${body}</main>
${live ? html`<script nonce="${nonce}">${raw(LIVE)}</script>` : ''}
</body>
</html>`
  return new Response(String(text), {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      // Inline style attributes carry widths of bars, numbers only.
      'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  })
}

/** A time as people read it, with the exact one on hover. */
export function when(iso: string): Markup {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return html`<span class="dim">${iso}</span>`
  const two = (value: number): string => String(value).padStart(2, '0')
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const today = date.toDateString() === new Date().toDateString()
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return html`<time class="num dim" datetime="${date.toISOString()}" title="${date.toISOString()}">${today ? clock : `${day} ${clock}`}</time>`
}

/** Any JSON value, as text to read. */
export function json(value: unknown): Markup {
  return html`<pre>${JSON.stringify(value, null, 2) ?? ''}</pre>`
}

/** Whether a request that changes something comes from our own pages or from a tool, not from another site. */
export function fromHere(request: Request): boolean {
  const site = request.headers.get('sec-fetch-site')
  return site === null || site === 'same-origin' || site === 'none'
}
