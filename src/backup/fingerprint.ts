import { toHex } from '../core/bytes.ts'
import { sha256 } from '../core/crypto.ts'

/**
 * Tells one database from another without naming it: a hash of host, port and database. Neon's pooled and direct
 * addresses are one database and give one fingerprint.
 */
export async function databaseFingerprint(databaseUrl: string): Promise<string> {
  const { hostname, port, pathname } = new URL(databaseUrl)
  const host = hostname.toLowerCase().replace(/^([^.]+)-pooler\./, '$1.')
  const name = decodeURIComponent(pathname.slice(1))
  return toHex((await sha256(`${host}:${port || '5432'}/${name}`)).subarray(0, 16))
}
