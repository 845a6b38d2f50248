import pg from 'pg'
import { NeonFailure, postgresFields } from './errors.ts'
import type { Statement } from './payload.ts'
import { valueJson } from './values.ts'

/** Largest result of a statement, in bytes of JSON. */
export const MAX_RESPONSE: number = 64 * 1024 * 1024

/** In which form results are wanted. */
export interface OutputForm {
  readonly raw: boolean
  readonly arrayMode: boolean
  readonly max: number
}

const RAW = { getTypeParser: () => (value: unknown) => value }

function cellJson(value: string | null, type: number, raw: boolean): string {
  if (value === null) return 'null'
  return raw ? JSON.stringify(value) : valueJson(value, type)
}

function rowJson(
  row: readonly (string | null)[],
  fields: readonly pg.FieldDef[],
  raw: boolean,
  asArray: boolean,
): string {
  const cells = fields.map((field, at) => cellJson(row[at] ?? null, field.dataTypeID, raw))
  if (asArray) return `[${cells.join(',')}]`
  return `{${cells.map((cell, at) => `${JSON.stringify(fields[at]?.name)}:${cell}`).join(',')}}`
}

/**
 * Runs one statement by the extended protocol, which takes one statement only, and gives its result as JSON.
 * @throws NeonFailure 400 with what Postgres said, 507 when the result is too large
 */
export function runStatement(client: pg.Client, statement: Statement, form: OutputForm): Promise<string> {
  const asArray = statement.arrayMode ?? form.arrayMode
  const config = {
    text: statement.query,
    values: [...statement.params],
    rowMode: 'array',
    queryMode: 'extended',
    types: RAW,
  }
  return new Promise((resolve, reject) => {
    const query = new pg.Query(config as pg.QueryConfig) as unknown as pg.Submittable & NodeJS.EventEmitter
    const rows: string[] = []
    let size = 0
    query.on('row', (row: (string | null)[], result: pg.QueryResult) => {
      if (size > form.max) return
      const json = rowJson(row, result.fields, form.raw, asArray)
      size += json.length
      if (size > form.max) {
        rows.length = 0
        reject(new NeonFailure(507, `response is too large (max is ${form.max} bytes)`))
      } else rows.push(json)
    })
    query.on('error', (error: Error) => reject(failed(error)))
    query.on('end', (result: pg.QueryResult) => {
      const fields = result.fields.map(
        ({ name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier, format }) => ({
          name,
          dataTypeID,
          tableID,
          columnID,
          dataTypeSize,
          dataTypeModifier,
          format,
        }),
      )
      const command = JSON.stringify(result.command ?? '')
      const head = `"rowAsArray":${asArray},"fields":${JSON.stringify(fields)}`
      resolve(
        `{${head},"rows":[${rows.join(',')}],"command":${command},"rowCount":${result.rowCount ?? null}}`,
      )
    })
    client.query(query)
  })
}

/** What Postgres, or the line to it, said about a statement. */
export function failed(error: unknown): NeonFailure {
  const fields = postgresFields(error)
  if (fields !== undefined) return new NeonFailure(400, (error as Error).message, fields)
  return new NeonFailure(400, error instanceof Error ? error.message : String(error))
}
