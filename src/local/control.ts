import { type FaultBox, parseFaults } from './faults.ts'
import type { Counts } from './stats.ts'

/** Where a stand-in takes orders that are no part of what it stands in for. */
const CONTROL_PREFIX = '/__breakwater/'

/**
 * `faults`: GET lists, PUT replaces (one fault or an array), POST adds, DELETE clears.
 * `stats`: GET shows, DELETE resets. Returns undefined for any other path.
 */
export function controlSurface(
  faults: FaultBox,
  counts: Counts,
): (request: Request, pathname: string) => Promise<Response | undefined> {
  async function faultsAt(request: Request): Promise<Response> {
    switch (request.method) {
      case 'PUT':
      case 'POST':
        try {
          faults[request.method === 'PUT' ? 'set' : 'add'](parseFaults(await request.json()))
        } catch (error) {
          if (error instanceof SyntaxError) return refusal(400, `The body is not JSON: ${error.message}`)
          if (error instanceof TypeError) return refusal(400, error.message)
          throw error
        }
        break
      case 'DELETE':
        faults.clear()
        break
      case 'GET':
        break
      default:
        return refusal(405, 'Faults know GET, PUT, POST and DELETE.', { allow: 'GET, PUT, POST, DELETE' })
    }
    return Response.json({ faults: faults.list() })
  }

  function statsAt(request: Request): Response {
    if (request.method !== 'GET' && request.method !== 'DELETE') {
      return refusal(405, 'Stats know GET and DELETE.', { allow: 'GET, DELETE' })
    }
    const stats = counts.snapshot()
    if (request.method === 'DELETE') counts.reset()
    return Response.json(stats)
  }

  return async function control(request, pathname) {
    if (!pathname.startsWith(CONTROL_PREFIX)) return undefined
    // Browsers let any page send a simple request; orders come from tools and from our own pages only.
    const site = request.headers.get('sec-fetch-site')
    if (request.method !== 'GET' && site !== null && site !== 'same-origin' && site !== 'none') {
      return refusal(403, 'Not from another site.')
    }
    if (pathname === `${CONTROL_PREFIX}faults`) return faultsAt(request)
    if (pathname === `${CONTROL_PREFIX}stats`) return statsAt(request)
    return refusal(404, `There is ${CONTROL_PREFIX}faults and ${CONTROL_PREFIX}stats.`)
  }
}

function refusal(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers })
}
