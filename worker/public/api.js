// One place that talks to the server and shows what it said.

const said = document.querySelector('#said')

/** Shows a reply, or any text, to the person. */
export function say(text) {
  said.textContent = text
}

/**
 * Sends a request and says what came back.
 * @returns {Promise<{ ok: boolean, status: number, body: any }>} `body` is parsed JSON, or undefined.
 */
export async function call(method, path, body) {
  const init = { method, headers: { accept: 'application/json' } }
  if (body instanceof Blob) {
    init.body = body
  } else if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers['content-type'] = 'application/json'
  }
  let reply
  try {
    reply = await fetch(path, init)
  } catch {
    say(`${method} ${path}\n\nThe server cannot be reached.`)
    return { ok: false, status: 0, body: undefined }
  }
  const text = await reply.text()
  const isJson = reply.headers.get('content-type')?.includes('json')
  const parsed = isJson && text !== '' ? JSON.parse(text) : undefined
  const shown = parsed === undefined ? text : JSON.stringify(parsed, null, 2)
  const wait = reply.headers.get('retry-after')
  say(`${method} ${path}\n${reply.status}${wait ? `, try again in ${wait} s` : ''}\n\n${shown}`)
  return { ok: reply.ok, status: reply.status, body: parsed }
}
