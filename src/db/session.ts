import { fillPlaceholders, NoopLogger } from 'drizzle-orm'
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import { NoopCache } from 'drizzle-orm/cache/core'
import type { NeonHttpQueryResultHKT } from 'drizzle-orm/neon-http'
import { NeonHttpPreparedQuery, NeonHttpSession } from 'drizzle-orm/neon-http'
import type { PgDialect, PreparedQueryConfig } from 'drizzle-orm/pg-core'
import type { Result, Statement, Transport } from './transport.ts'

/** The kind of result `execute()` gives: `{ rows, fields, command, rowCount }`. */
export type QueryResult = NeonHttpQueryResultHKT

type Prepare = Parameters<NeonHttpSession<never, never>['prepareQuery']>
type ClientArgument = ConstructorParameters<typeof NeonHttpPreparedQuery>[0]
type SchemaArgument = ConstructorParameters<typeof NeonHttpSession>[2]

/** What Drizzle's session takes for Neon's client. */
function clientOf(transport: Transport<never>): ClientArgument {
  const query = (sql: string, params: unknown[], options: { arrayMode?: boolean }): Promise<Result> =>
    transport.run({ sql, params, arrayMode: options.arrayMode === true, readOnly: false })
  return { query } as unknown as ClientArgument
}

const SILENT = new NoopLogger()
const NO_CACHE = new NoopCache()

/**
 * Drizzle's own would pass by a cache that there is not, and wrap what a driver throws in an error whose message holds
 * all parameters.
 */
class Prepared extends NeonHttpPreparedQuery<PreparedQueryConfig> {
  /** Whether it was built as a plain select. */
  reads = false
  mapped = false
  transport: Transport<never> | undefined

  override async execute(placeholders: Record<string, unknown> = {}): Promise<unknown> {
    const { sql, params } = this.getQuery()
    const statement = {
      sql,
      params: fillPlaceholders(params, placeholders),
      arrayMode: this.mapped,
      readOnly: this.reads,
    }
    const result = await (this.transport as Transport<never>).run(statement)
    return this.mapped ? this.mapResult(result as never) : result
  }
}

interface InBatch {
  getQuery(): { sql: string; params: unknown[] }
  isResponseInArrayMode(): boolean
  mapResult(result: unknown, fromBatch: boolean): unknown
}

/** Drizzle's session over any of our transports. */
export class Session<Options> extends NeonHttpSession<Record<string, unknown>, never> {
  readonly #transport: Transport<Options>
  readonly #client: ClientArgument

  constructor(transport: Transport<Options>, dialect: PgDialect, schema: SchemaArgument) {
    const client = clientOf(transport)
    super(client, dialect, schema as never)
    this.#transport = transport
    this.#client = client
  }

  override prepareQuery(...[query, fields, , arrayMode, mapper, metadata, cache]: Prepare): never {
    // The relational builder tells no kind, and only reads. A select may still begin with a change (`with`), and a
    // text that was written by hand may do anything.
    const built = metadata?.type === 'select' || mapper !== undefined
    const reads = built && /^\s*select\b/i.test(query.sql)
    const prepared = new Prepared(
      this.#client,
      query,
      SILENT,
      NO_CACHE,
      metadata,
      cache,
      fields,
      arrayMode,
      mapper,
    )
    prepared.reads = reads
    prepared.mapped = fields !== undefined || mapper !== undefined
    prepared.transport = this.#transport as Transport<never>
    return prepared as never
  }

  override async batch<U extends BatchItem<'pg'>, T extends Readonly<[U, ...U[]]>>(
    queries: T,
    options?: Options,
  ): Promise<BatchResponse<T>> {
    const prepared = queries.map((query) => (query as unknown as { _prepare(): InBatch })._prepare())
    const statements = prepared.map((one): Statement => {
      const { sql, params } = one.getQuery()
      const readOnly = one instanceof Prepared && one.reads
      return { sql, params, arrayMode: one.isResponseInArrayMode(), readOnly }
    })
    const results = await this.#transport.batch(statements, options)
    return results.map((result, at) => prepared[at]?.mapResult(result, true)) as BatchResponse<T>
  }
}
