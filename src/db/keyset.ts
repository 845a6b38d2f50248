import { and, asc, desc, eq, gt, gte, lt, lte, or, type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import { fromBase64Url, toBase64Url, toBytes } from '../core/bytes.ts'
import { hmac, verifyHmac } from '../core/crypto.ts'
import { BreakwaterError } from '../core/index.ts'

/** A column of the order, and its direction. */
export type KeysetColumn = readonly [column: PgColumn, direction: 'asc' | 'desc']

/** Options of {@link keyset}. */
export interface KeysetOptions {
  /** Names the list, so that a cursor of one list is refused by another. */
  readonly name: string
  /** What cursors are signed with, newest first; the older ones are still accepted. 32 characters each at least. */
  readonly secrets: readonly string[]
  /** The order: columns that are never null, the last of them unique, with an index that has them in this order. */
  readonly by: readonly [KeysetColumn, ...KeysetColumn[]]
  /** Rows of a page when the caller does not say. Default 50. */
  readonly limit?: number
  /** Most rows of a page, whatever the caller says. Default 200. */
  readonly maxLimit?: number
}

/** What a caller asks for. */
export interface PageRequest {
  /** The cursor of the page before. Default: the first page. */
  readonly after?: string | undefined
  /** Rows wanted; a number, or its decimal text as it stands in a query. Cut to `maxLimit`. */
  readonly limit?: number | string | undefined
  /** What else the list depends on, such as the user's id: a cursor is good for the same only. */
  readonly scope?: string | undefined
}

/** What goes into the query of one page, and what makes the answer of its rows. */
export interface Page {
  /** Put it into `where(and(…, page.where))`; undefined on the first page. */
  readonly where: SQL | undefined
  /** Put it into `orderBy(...page.orderBy)`. */
  readonly orderBy: SQL[]
  /** Put it into `limit(page.limit)`: one more than wanted, to know whether there is another page. */
  readonly limit: number
  /** Select it beside the columns, as `cursor`. */
  readonly cursor: SQL<string>
  /** The rows without their cursors, and the cursor of the next page, if there is one. */
  finish<R extends { readonly cursor: string }>(
    rows: readonly R[],
  ): Promise<{ readonly items: Omit<R, 'cursor'>[]; readonly next: string | undefined }>
}

const SIGNATURE_BYTES = 32
const MAX_CURSOR = 2000

function refused(): BreakwaterError {
  return new BreakwaterError('bad-request', { status: 400, detail: 'The cursor is not one of this list.' })
}

/** `(a, b) > (x, y)` where all columns run the same way, which Postgres answers from one place of an index. */
function beyond(by: readonly KeysetColumn[], values: readonly string[]): SQL | undefined {
  // As text with a cast: a JavaScript Date has milliseconds, a timestamp microseconds.
  const typed = by.map(([column], at) => sql`${values[at]}::${sql.raw(column.getSQLType())}`)
  const [first] = by
  if (by.every(([, direction]) => direction === first?.[1])) {
    const columns = sql.join(
      by.map(([column]) => sql`${column}`),
      sql`, `,
    )
    const bound = sql.join(typed, sql`, `)
    return first?.[1] === 'desc' ? sql`(${columns}) < (${bound})` : sql`(${columns}) > (${bound})`
  }
  const from = (at: number): SQL | undefined => {
    const [entry, value] = [by[at], typed[at]]
    if (entry === undefined || value === undefined) return undefined
    const [column, direction] = entry
    const past = direction === 'desc' ? lt(column, value) : gt(column, value)
    if (at === by.length - 1) return past
    const notBefore = direction === 'desc' ? lte(column, value) : gte(column, value)
    return and(notBefore, or(past, and(eq(column, value), from(at + 1))))
  }
  return from(0)
}

/**
 * Pages through a list by the key of the last row seen, so that the thousandth page costs what the first does and rows
 * that come or go meanwhile neither double nor hide others. A cursor is opaque and signed: it can be handed to anyone,
 * and one that was made up, or belongs to another list or scope, is refused. Values of the key columns can be read out
 * of it.
 *
 * @throws TypeError when an option is wrong
 *
 * @example
 * ```ts
 * const newest = keyset({ name: 'orders', secrets: env.SESSION_SECRET, by: [[orders.createdAt, 'desc'], [orders.id, 'desc']] })
 * const page = await newest({ after: c.req.query('after'), limit: 20, scope: user.id })
 * const rows = await db.select({ ...getTableColumns(orders), cursor: page.cursor }).from(orders)
 *   .where(and(eq(orders.userId, user.id), page.where)).orderBy(...page.orderBy).limit(page.limit)
 * return c.json(await page.finish(rows))
 * ```
 */
export function keyset(options: KeysetOptions): (request?: PageRequest) => Promise<Page> {
  const { name, secrets, by, limit: usual = 50, maxLimit = 200 } = options
  if (name === '') throw new TypeError('keyset: name the list')
  if (secrets.length === 0 || secrets.some((secret) => secret.length < 32)) {
    throw new TypeError('keyset: secrets need 32 characters at least')
  }
  if (by.length === 0) throw new TypeError('keyset: by needs a column')
  for (const [column] of by) {
    if (!column.notNull)
      throw new TypeError(`keyset: ${column.name} may be null, and nulls have no place in an order`)
  }
  if (!(Number.isInteger(usual) && usual >= 1 && Number.isInteger(maxLimit) && maxLimit >= usual)) {
    throw new TypeError('keyset: limit and maxLimit must be whole numbers above 0')
  }
  const [newest = ''] = secrets
  const order = by.map(([column, direction]) => `${column.name} ${direction}`).join()
  const signed = (scope: string | undefined, payload: string): string =>
    JSON.stringify(['cursor', name, order, scope ?? null, payload])

  async function read(cursor: string, scope: string | undefined): Promise<string[]> {
    const bytes = cursor.length > MAX_CURSOR ? undefined : fromBase64Url(cursor)
    if (bytes === undefined || bytes.length <= SIGNATURE_BYTES) throw refused()
    const payload = new TextDecoder().decode(bytes.subarray(SIGNATURE_BYTES))
    const genuine = await verifyHmac(secrets, signed(scope, payload), bytes.slice(0, SIGNATURE_BYTES))
    if (!genuine) throw refused()
    return JSON.parse(payload) as string[]
  }

  async function write(payload: string, scope: string | undefined): Promise<string> {
    const signature = await hmac(newest, signed(scope, payload))
    const body = toBytes(payload)
    const bytes = new Uint8Array(signature.length + body.length)
    bytes.set(signature)
    bytes.set(body, signature.length)
    return toBase64Url(bytes)
  }

  function wanted(limit: number | string | undefined): number {
    if (limit === undefined || limit === '') return usual
    const count = typeof limit === 'string' ? (/^\d{1,6}$/.test(limit) ? Number(limit) : Number.NaN) : limit
    if (!Number.isInteger(count) || count < 1) {
      throw new BreakwaterError('bad-request', {
        status: 400,
        detail: 'limit must be a whole number above 0.',
      })
    }
    return Math.min(count, maxLimit)
  }

  return async function page({ after, limit, scope } = {}): Promise<Page> {
    const count = wanted(limit)
    const values = after === undefined || after === '' ? undefined : await read(after, scope)
    const texts = by.map(([column]) => sql`${column}::text`)
    return {
      where: values && beyond(by, values),
      orderBy: by.map(([column, direction]) => (direction === 'desc' ? desc(column) : asc(column))),
      limit: count + 1,
      cursor: sql<string>`json_build_array(${sql.join(texts, sql`, `)})::text`,
      async finish(rows) {
        const items = rows.slice(0, count)
        const last = items.at(-1)
        const next = rows.length > count && last !== undefined ? await write(last.cursor, scope) : undefined
        return { items: items.map(({ cursor: _, ...row }) => row), next }
      },
    }
  }
}
