/** Posts JSON and insists on an answer of 2xx. */
export async function post(
  url: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
  name: string,
  send?: typeof fetch,
): Promise<void> {
  const response = await (send ?? fetch)(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    redirect: 'manual',
    signal,
  })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`${name} answered ${response.status}`)
}

/**
 * Checks an address that is posted to.
 * @throws TypeError when it is no http or https URL; the message does not repeat it, addresses of this kind are secrets.
 */
export function checkUrl(url: string, name: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new TypeError(`The url of ${name} must be an http or https URL`)
  }
}
