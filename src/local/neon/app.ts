import type { StandInApp } from '../server.ts'
import { failureBody, NeonFailure } from './errors.ts'
import { Pool } from './pool.ts'
import { answerSql, type Limits } from './sql-endpoint.ts'
import { targetOf } from './target.ts'
import { createTunnel } from './tunnel.ts'

/** Options of {@link createNeonApp}. */
export interface NeonOptions extends Limits {
  /**
   * URL of the Postgres server behind the stand-in. Only its host, port and `sslmode` are used: who may ask, and
   * for which database, is in each request, as on Neon.
   */
  readonly connect: string
  /** Connections for HTTP requests, at most; further requests wait. Default 20. */
  readonly connections?: number
}

const CORS: Readonly<Record<string, string>> = {
  Allow: 'OPTIONS, POST',
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers':
    'Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, Neon-Pool-Opt-In, Neon-Batch-Read-Only, Neon-Batch-Isolation-Level, Neon-Batch-Deferrable',
  'Access-Control-Max-Age': '86400',
}

function json(status: number, body: string): Response {
  return new Response(body, { status, headers: { 'Content-Type': 'application/json' } })
}

/**
 * Speaks Neon's two protocols in front of any Postgres server, so that `@neondatabase/serverless` is used unchanged:
 * SQL over HTTP (`POST /sql`) and Postgres's own protocol in a WebSocket (`/v2`).
 *
 * @throws TypeError when `connect` is no Postgres URL
 */
export function createNeonApp(options: NeonOptions): StandInApp {
  const target = targetOf(options.connect)
  const pool = new Pool(target, options.connections ?? 20)
  const tunnel = createTunnel(target)

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname === '/sql' && request.method === 'OPTIONS') return new Response(null, { headers: CORS })
    if (pathname !== '/sql' || request.method !== 'POST') return json(400, '"query is not supported"')
    try {
      return await answerSql(request, pool, options)
    } catch (error) {
      if (!(error instanceof NeonFailure)) throw error
      return json(error.status, failureBody(error))
    }
  }

  return {
    name: 'neon',
    async fetch(request) {
      const response = await answer(request)
      response.headers.set('Access-Control-Allow-Origin', '*')
      return response
    },
    upgrade: (request, socket, head) => tunnel.upgrade(request, socket, head),
    async close() {
      tunnel.close()
      await pool.close()
    },
  }
}
