import { type Context, Hono } from 'hono'

type Json = Record<string, unknown>

/** What Sentry's API for monitors and alerts says no to, in its own form: member by member. */
class Refusal extends Error {
  readonly body: Json

  constructor(body: Json) {
    super('refused')
    this.body = body
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const FREQUENCIES: readonly unknown[] = [0, 5, 10, 30, 60, 180, 720, 1440]
const LOGIC: readonly unknown[] = ['any', 'any-short', 'all', 'none']
const RESULTS: readonly unknown[] = [75, 50, 0]

/** One organization's monitors and alerts, in memory. */
export class AlertsOfSentry {
  readonly #projects = new Map<string, string>()
  readonly #detectors = new Map<string, Json>()
  readonly #workflows = new Map<string, Json>()
  #last = 1000

  #id(): string {
    this.#last += 1
    return String(this.#last)
  }

  /** A project by its slug; it is there when it is asked for, with the two monitors that every project has. */
  project(slug: string): string {
    let id = this.#projects.get(slug)
    if (id === undefined) {
      id = this.#id()
      this.#projects.set(slug, id)
      for (const type of ['error', 'issue_stream']) {
        const own = this.#id()
        this.#detectors.set(own, {
          id: own,
          projectId: id,
          name: type === 'error' ? 'Error Monitor' : 'Issue Stream',
          type,
          dataSources: null,
          conditionGroup: null,
          config: {},
          enabled: true,
        })
      }
    }
    return id
  }

  detectors(projects: readonly string[], kind: string | undefined): Json[] {
    return [...this.#detectors.values()]
      .filter(({ projectId }) => projects.length === 0 || projects.includes(String(projectId)))
      .filter(({ type }) => kind === undefined || kind === type)
      .map((one) => ({
        ...one,
        workflowIds: [...this.#workflows.values()]
          .filter(({ detectorIds }) => list(detectorIds).includes(one['id']))
          .map(({ id }) => id),
      }))
  }

  workflows(): Json[] {
    return [...this.#workflows.values()]
  }

  putDetector(id: string | undefined, slug: string | undefined, body: unknown): Json | undefined {
    const before = id === undefined ? undefined : this.#detectors.get(id)
    if (id !== undefined && before === undefined) return undefined
    if (!isObject(body)) throw new Refusal({ detail: 'JSON parse error' })
    required(body, 'name', 200)
    if (body['type'] !== 'metric_issue') throw new Refusal({ type: ['Unknown detector type'] })
    const [source] = list(body['dataSources'])
    if (!isObject(source)) throw new Refusal({ dataSources: ['This field is required.'] })
    const { aggregate, dataset, environment = null, eventTypes, query, timeWindow } = source
    if (typeof aggregate !== 'string' || typeof dataset !== 'string')
      throw new Refusal({ dataSources: ['aggregate and dataset are required'] })
    if (!Number.isInteger(timeWindow) || (timeWindow as number) < 60 || (timeWindow as number) > 86_400)
      throw new Refusal({ dataSources: ['Invalid time window'] })
    const own = id ?? this.#id()
    const made = {
      id: own,
      projectId: before?.['projectId'] ?? this.project(slug ?? ''),
      name: body['name'],
      description: body['description'] ?? null,
      type: 'metric_issue',
      owner: null,
      dataSources: [
        {
          id: this.#id(),
          type: 'snuba_query_subscription',
          queryObj: {
            id: this.#id(),
            status: 1,
            snubaQuery: {
              id: this.#id(),
              aggregate,
              dataset,
              environment,
              query: query ?? '',
              timeWindow,
              // Sentry keeps them in an order of its own.
              eventTypes: [...list(eventTypes)].reverse(),
              extrapolationMode: 'unknown',
            },
          },
        },
      ],
      conditionGroup: this.#group(body['conditionGroup'], 'conditionGroup', RESULTS),
      config: { comparisonDelta: null, ...(isObject(body['config']) ? body['config'] : {}) },
      enabled: body['enabled'] ?? true,
    }
    this.#detectors.set(own, made)
    return made
  }

  putWorkflow(id: string | undefined, body: unknown): Json | undefined {
    if (id !== undefined && !this.#workflows.has(id)) return undefined
    if (!isObject(body)) throw new Refusal({ detail: 'JSON parse error' })
    required(body, 'name', 256)
    const config = isObject(body['config']) ? body['config'] : {}
    if (!FREQUENCIES.includes(config['frequency'])) throw new Refusal({ config: ['Invalid frequency'] })
    const detectorIds = list(body['detectorIds']).map(String)
    const unknown = detectorIds.filter((one) => !this.#detectors.has(one))
    if (unknown.length > 0) throw new Refusal({ detectorIds: [`Some detectors do not exist: ${unknown}`] })
    const own = id ?? this.#id()
    const made = {
      id: own,
      name: body['name'],
      enabled: body['enabled'] ?? true,
      environment: body['environment'] ?? null,
      config,
      detectorIds,
      triggers: this.#group(body['triggers'], 'triggers', [true]),
      actionFilters: list(body['actionFilters']).map((one) => {
        const actions = isObject(one) ? one['actions'] : undefined
        if (!Array.isArray(actions))
          throw new Refusal({ actionFilters: ['Missing actions key in action filter'] })
        return {
          ...this.#group(one, 'actionFilters', [true]),
          actions: actions.map((action) => this.#action(action)),
        }
      }),
      owner: null,
      lastTriggered: null,
    }
    this.#workflows.set(own, made)
    return made
  }

  #group(value: unknown, name: string, results: readonly unknown[]): Json {
    if (!isObject(value) || !LOGIC.includes(value['logicType']))
      throw new Refusal({ [name]: { logicType: ['This field is required.'] } })
    return {
      id: this.#id(),
      organizationId: '1',
      logicType: value['logicType'],
      conditions: list(value['conditions']).map((condition) => {
        if (!isObject(condition) || typeof condition['type'] !== 'string')
          throw new Refusal({ [name]: { conditions: ['Invalid condition'] } })
        if (!results.includes(condition['conditionResult']))
          throw new Refusal({ [name]: { conditions: ['Unsupported condition result'] } })
        const { type, comparison, conditionResult } = condition
        return { id: this.#id(), type, comparison, conditionResult }
      }),
      actions: [],
    }
  }

  #action(value: unknown): Json {
    if (!isObject(value) || typeof value['type'] !== 'string')
      throw new Refusal({ actionFilters: { actions: ['Invalid action'] } })
    const { type, integrationId = null, data = {}, config = {}, status = 'active' } = value
    // Sentry looks the channel up by its name.
    const found = type === 'slack' && isObject(config) ? { ...config, targetIdentifier: 'C0FFEE' } : config
    return { id: this.#id(), type, integrationId, data, config: found, status }
  }

  remove(what: 'detectors' | 'workflows', id: string): boolean {
    if (what === 'workflows') return this.#workflows.delete(id)
    for (const workflow of this.#workflows.values())
      workflow['detectorIds'] = list(workflow['detectorIds']).filter((one) => one !== id)
    return this.#detectors.delete(id)
  }
}

function required(body: Json, name: string, max: number): void {
  const value = body[name]
  if (typeof value !== 'string' || value.trim() === '')
    throw new Refusal({ [name]: ['This field is required.'] })
  if (value.length > max)
    throw new Refusal({ [name]: [`Ensure this field has no more than ${max} characters.`] })
}

/** A page of a list, with the next one's cursor in `Link`, as Sentry writes it. */
function page(c: Context, items: readonly Json[]): Response {
  const size = Math.min(100, Number(c.req.query('per_page') ?? 100) || 100)
  const from = Number(/^0:(\d+):0$/.exec(c.req.query('cursor') ?? '')?.[1] ?? 0)
  const more = from + size < items.length
  const { origin, pathname } = new URL(c.req.url)
  c.header(
    'link',
    `<${origin}${pathname}?cursor=0:0:1>; rel="previous"; results="${from > 0}"; cursor="0:0:1", <${origin}${pathname}?cursor=0:${from + size}:0>; rel="next"; results="${more}"; cursor="0:${from + size}:0"`,
  )
  return c.json(items.slice(from, from + size))
}

/**
 * The part of Sentry's public API that `breakwater alerts` uses: projects, monitors (`detectors`) and alerts
 * (`workflows`). Nothing here fires; what is put in is what comes out, with numbers of its own.
 */
export function alertsApi(sentry: AlertsOfSentry): Hono {
  const app = new Hono({ strict: false })
  const organization = '/organizations/:organization'
  const missing = (c: Context): Response => c.json({ detail: 'The requested resource does not exist' }, 404)
  const done = (c: Context, made: Json | undefined, status: 200 | 201): Response =>
    made ? c.json(made, status) : missing(c)

  app.get('/projects/:organization/:project', (c) => {
    const slug = c.req.param('project')
    return c.json({ id: sentry.project(slug), slug, name: slug })
  })
  app.get(`${organization}/detectors`, (c) =>
    page(
      c,
      sentry.detectors(c.req.queries('project') ?? [], /^type:(\w+)$/.exec(c.req.query('query') ?? '')?.[1]),
    ),
  )
  app.post(`${organization}/projects/:project/detectors`, async (c) =>
    done(c, sentry.putDetector(undefined, c.req.param('project'), await c.req.json()), 201),
  )
  app.put(`${organization}/detectors/:id`, async (c) =>
    done(c, sentry.putDetector(c.req.param('id'), undefined, await c.req.json()), 200),
  )
  app.get(`${organization}/workflows`, (c) => page(c, sentry.workflows()))
  app.post(`${organization}/workflows`, async (c) =>
    done(c, sentry.putWorkflow(undefined, await c.req.json()), 201),
  )
  app.put(`${organization}/workflows/:id`, async (c) =>
    done(c, sentry.putWorkflow(c.req.param('id'), await c.req.json()), 200),
  )
  for (const what of ['detectors', 'workflows'] as const) {
    app.delete(`${organization}/${what}/:id`, (c) =>
      sentry.remove(what, c.req.param('id')) ? c.body(null, 204) : missing(c),
    )
  }
  app.onError((error, c) => {
    if (error instanceof Refusal) return c.json(error.body, 400)
    if (error instanceof SyntaxError) return c.json({ detail: `JSON parse error - ${error.message}` }, 400)
    throw error
  })
  return app
}
