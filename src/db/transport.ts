import { type CustomTypesConfig, type FullQueryResults, types } from '@neondatabase/serverless'

/** One statement on its way. */
export interface Statement {
  readonly sql: string
  readonly params: readonly unknown[]
  readonly arrayMode: boolean
  /** Whether it was built as a plain select, so that sending it twice does no harm. */
  readonly readOnly: boolean
}

/** What Postgres answered. */
export type Result = FullQueryResults<boolean>

/** Takes statements to Postgres: each of them by itself over HTTP, or in a transaction over a WebSocket. */
export interface Transport<BatchOptions> {
  run(statement: Statement): Promise<Result>
  /** All or none. */
  batch(statements: readonly Statement[], options?: BatchOptions): Promise<Result[]>
}

// Dates and intervals are left as text, scalars and arrays: Drizzle's columns make of them what the schema says.
const AS_TEXT = new Set([1082, 1114, 1184, 1186, 1115, 1182, 1185, 1187, 1231])

const same = (value: string): string => value

/** How values are read, the same on both ways. Set for each statement: the driver's own table is everyone's. */
export const typeParsers: CustomTypesConfig = {
  getTypeParser: (id, format) =>
    AS_TEXT.has(id as number) ? same : types.getTypeParser(id as number, format as 'text'),
}
