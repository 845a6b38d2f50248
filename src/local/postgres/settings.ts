/**
 * How the local server is set up: little memory, few processes, plans that do not depend on the machine's cores.
 *
 * Durability is Postgres's own default (fsync and synchronous commit on): whatever was acknowledged is still there
 * after `kill -9` of everything, and after a power cut. Turning either off gains little on today's disks; turning
 * `synchronous_commit` off would lose the last half second of a killed server, and `fsync` off a whole folder.
 */
const COMMON = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '2000',
  max_connections: '50',
  shared_buffers: '32MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  // The workers of the other method are three processes that a small server has no use for.
  io_method: 'sync',
  autovacuum_max_workers: '1',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  max_logical_replication_workers: '0',
  max_wal_senders: '0',
  wal_level: 'minimal',
  max_wal_size: '256MB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  log_checkpoints: 'off',
  // Start-up is known by a line of the log, and errors of statements belong to whoever made them.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  logging_collector: 'off',
  log_destination: 'stderr',
} as const

/** Gives up safety after a crash for speed: for databases that are thrown away. */
const THROWAWAY = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } as const

/** Command line flags of the server. */
export function serverFlags(
  port: number,
  durable: boolean,
  others: Readonly<Record<string, string>> = {},
): string[] {
  const settings = { ...COMMON, ...(durable ? {} : THROWAWAY), ...others, port: String(port) }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
