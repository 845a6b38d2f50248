import type pg from 'pg'
import { columnList, ident, type Query, qualified } from '../../backup/catalog.ts'
import type { TableEntry } from '../../backup/manifest.ts'
import type { OpenBackup } from '../../backup/store.ts'
import { copyIn } from './copy-in.ts'
import { loadOrder, type Reference } from './order.ts'

interface ForeignKey extends Reference {
  readonly constraint: string
  readonly deferrable: boolean
  readonly deferred: boolean
}

async function foreignKeys(query: Query): Promise<ForeignKey[]> {
  const rows = await query(`
    select k.conname as name, k.condeferrable as deferrable, k.condeferred as deferred,
      pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.relname) as "from",
      pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) as "to"
    from pg_catalog.pg_constraint k
      join pg_catalog.pg_class f on f.oid = k.conrelid join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
      join pg_catalog.pg_class t on t.oid = k.confrelid join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    where k.contype = 'f'`)
  return rows.map((row) => ({
    constraint: String(row['name']),
    from: String(row['from']),
    to: String(row['to']),
    deferrable: row['deferrable'] === true,
    deferred: row['deferred'] === true,
  }))
}

/** `quote_ident` leaves plain names bare, ours quotes them all: compare under one form. */
async function canonical(query: Query, table: TableEntry): Promise<string> {
  const [row] = await query(
    "select pg_catalog.quote_ident($1) || '.' || pg_catalog.quote_ident($2) as name",
    [table.schema, table.name],
  )
  return String(row?.['name'])
}

async function userTriggers(query: Query): Promise<{ table: string; trigger: string }[]> {
  const rows = await query(`
    select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) as "table", t.tgname as name
    from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where not t.tgisinternal and t.tgenabled = 'O' and c.relkind = 'r' and t.tgparentid = 0`)
  return rows.map((row) => ({ table: String(row['table']), trigger: String(row['name']) }))
}

async function* rowsOf(backup: OpenBackup, index: number): AsyncGenerator<Uint8Array> {
  const chunks = backup.manifest.tables[index]?.chunks.length ?? 0
  for (let chunk = 0; chunk < chunks; chunk++) yield backup.chunk(index, chunk)
}

/**
 * Loads every table, inside the transaction under way: parents before children, and where tables name each other in
 * a circle, with those foreign keys checked at the end. The application's own triggers sleep meanwhile: what they did
 * is in the data already.
 */
export async function loadTables(
  client: pg.Client,
  query: Query,
  backup: OpenBackup,
  progress: (table: TableEntry) => void,
): Promise<void> {
  const { tables, sequences } = backup.manifest
  const byName = new Map<string, number>()
  for (const [index, table] of tables.entries()) byName.set(await canonical(query, table), index)
  const { order, late } = loadOrder([...byName.keys()], await foreignKeys(query))
  const triggers = await userTriggers(query)

  // First: a trigger may refuse that its table is emptied.
  for (const { table, trigger } of triggers) {
    await query(`alter table ${table} disable trigger ${ident(trigger)}`)
  }
  // Migrations may have put rows in; the backup has them, and what became of them.
  if (tables.length > 0) await query(`truncate ${tables.map(qualified).join(', ')}`)
  for (const { from, constraint } of late) {
    await query(`alter table ${from} alter constraint ${ident(constraint)} deferrable initially deferred`)
  }

  for (const name of order) {
    const index = byName.get(name) as number
    const table = tables[index] as TableEntry
    progress(table)
    if (table.chunks.length === 0) continue
    const columns = table.columns.length > 0 ? ` (${columnList(table.columns)})` : ''
    await copyIn(client, `copy ${qualified(table)}${columns} from stdin`, rowsOf(backup, index))
  }

  await query('set constraints all immediate')
  for (const { from, constraint, deferrable, deferred } of late) {
    const mode = deferrable ? `deferrable initially ${deferred ? 'deferred' : 'immediate'}` : 'not deferrable'
    await query(`alter table ${from} alter constraint ${ident(constraint)} ${mode}`)
  }
  for (const { table, trigger } of triggers) {
    await query(`alter table ${table} enable trigger ${ident(trigger)}`)
  }
  for (const sequence of sequences) {
    if (sequence.lastValue === null) continue
    await query('select pg_catalog.setval($1::regclass, $2::bigint, true)', [
      qualified(sequence),
      sequence.lastValue,
    ])
  }
  await refreshViews(query)
}

async function refreshViews(query: Query): Promise<void> {
  // By age: a view can only be made over older ones.
  const views = await query(`
    select n.nspname as schema, c.relname as name from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'm' order by c.oid`)
  for (const view of views) {
    const name = qualified({ schema: String(view['schema']), name: String(view['name']) })
    await query(`refresh materialized view ${name}`)
  }
}
