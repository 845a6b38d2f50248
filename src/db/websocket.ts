import { Client } from '@neondatabase/serverless'
import { type Connection, openConnection, type PgClient } from './connection.ts'
import type { Address } from './endpoint.ts'

/**
 * Opens a WebSocket to Postgres.
 * @param timeout milliseconds a statement may take, when the current work leaves as much
 */
export function connect(address: Address, timeout: number): Promise<Connection> {
  const make = (milliseconds: number): PgClient => {
    const client = new Client({ connectionString: address.url, connectionTimeoutMillis: milliseconds })
    const { local } = address
    if (local !== undefined) {
      client.neonConfig.wsProxy = () => local.proxy
      client.neonConfig.useSecureWebSocket = local.secure
    }
    return client as unknown as PgClient
  }
  return openConnection(make, timeout, 'websocket')
}
