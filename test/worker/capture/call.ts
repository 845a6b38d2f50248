import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'

/** Sends a request to a worker and waits until everything behind the reply has ended. */
export async function call(
  worker: { fetch(request: Request, env: object, context: ExecutionContext): Promise<Response> },
  path: string,
  init?: RequestInit,
): Promise<Response> {
  const context = createExecutionContext()
  try {
    return await worker.fetch(new Request(`https://app.example${path}`, init), {}, context)
  } catch (error) {
    return new Response(String(error), { status: 599 })
  } finally {
    await waitOnExecutionContext(context).catch(() => {})
  }
}
