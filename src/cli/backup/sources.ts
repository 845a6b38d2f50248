import { readdir, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import process from 'node:process'
import { AwsClient } from 'aws4fetch'
import type { BackupSource } from '../../backup/store.ts'
import { CommandFailed, UsageError } from '../command.ts'

/** A source that is to be let go of when the command ends. */
export interface OpenSource extends BackupSource {
  /** What the bucket's own environment holds, such as `BACKUP_KEY` of a local stack. */
  readonly variables: Readonly<Record<string, string | undefined>>
  close(): Promise<void>
}

/** Where to read backups from. */
export interface SourceOptions {
  /** `local`, `s3`, or a folder. */
  readonly from: string
  /** The binding, for `local`. */
  readonly binding: string
  /** Wrangler's configuration, for `local`. */
  readonly config?: string
  /** Wrangler's state, for `local`: what `--persist-to` named, with its `v3`. */
  readonly persist?: string
}

/** A bucket of the binding's API: in a worker, in Miniflare, through Wrangler's platform proxy. */
export function bucketSource(bucket: R2Bucket): BackupSource {
  return {
    async get(key) {
      const object = await bucket.get(key)
      return object === null ? undefined : new Uint8Array(await object.arrayBuffer())
    },
    async list(prefix) {
      const keys: string[] = []
      let cursor: string | undefined
      do {
        const page = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) })
        keys.push(...page.objects.map(({ key }) => key))
        cursor = page.truncated ? page.cursor : undefined
      } while (cursor !== undefined)
      return keys
    },
  }
}

/** A folder that has a file for every key, as `rclone copy` makes it. */
function folderSource(folder: string): BackupSource {
  return {
    async get(key) {
      try {
        return new Uint8Array(await readFile(join(folder, ...key.split('/'))))
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOENT') return undefined
        throw error
      }
    },
    async list(prefix) {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).split(sep).join('/'))
        .map((key) => key.replace(/^\//, ''))
        .filter((key) => key.startsWith(prefix))
    },
  }
}

/** How R2's S3 API is reached. */
interface S3Options {
  /** `https://<account>.r2.cloudflarestorage.com`. */
  readonly endpoint: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** R2 through its S3 API: what is there when Workers are not. */
function s3Source({ endpoint, bucket, ...credentials }: S3Options): BackupSource {
  const client = new AwsClient({ ...credentials, service: 's3', region: 'auto' })
  const base = `${endpoint.replace(/\/$/, '')}/${bucket}`

  async function call(path: string): Promise<Response | undefined> {
    const response = await client.fetch(`${base}${path}`)
    if (response.status === 404) {
      const body = await response.text()
      if (body.includes('NoSuchBucket'))
        throw new CommandFailed(`There is no bucket ${bucket} at ${endpoint}.`)
      return undefined
    }
    if (!response.ok) {
      const code = /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1] ?? 'no code'
      throw new CommandFailed(`R2 answered ${response.status} (${code}) for bucket ${bucket}.`)
    }
    return response
  }

  return {
    async get(key) {
      const response = await call(`/${key.split('/').map(encodeURIComponent).join('/')}`)
      return response && new Uint8Array(await response.arrayBuffer())
    },
    async list(prefix) {
      const keys: string[] = []
      let token: string | undefined
      do {
        const query = new URLSearchParams({ 'list-type': '2', prefix, 'encoding-type': 'url' })
        if (token !== undefined) query.set('continuation-token', token)
        const xml = (await (await call(`?${query}`))?.text()) ?? ''
        for (const [, key] of xml.matchAll(/<Key>([^<]*)<\/Key>/g)) {
          keys.push(decodeURIComponent((key ?? '').replaceAll('+', ' ')))
        }
        token = /<NextContinuationToken>([^<]+)<\/NextContinuationToken>/.exec(xml)?.[1]
      } while (token !== undefined)
      return keys
    },
  }
}

async function localSource(options: SourceOptions): Promise<OpenSource> {
  let wrangler: typeof import('wrangler')
  try {
    wrangler = await import('wrangler')
  } catch {
    throw new CommandFailed('Reading a local bucket needs wrangler: npm install --save-dev wrangler')
  }
  const proxy = await wrangler.getPlatformProxy<Record<string, unknown>>({
    ...(options.config !== undefined && { configPath: options.config }),
    ...(options.persist !== undefined && { persist: { path: options.persist } }),
    remoteBindings: false,
  })
  const bucket = proxy.env[options.binding] as R2Bucket | undefined
  if (typeof bucket?.list !== 'function') {
    await proxy.dispose()
    throw new CommandFailed(
      `Wrangler's configuration has no R2 binding ${options.binding}; name it with --binding.`,
    )
  }
  const key = proxy.env['BACKUP_KEY']
  return {
    ...bucketSource(bucket),
    variables: { BACKUP_KEY: typeof key === 'string' ? key : undefined },
    close: () => proxy.dispose(),
  }
}

function needed(name: string): string {
  const value = process.env[name]
  if (value === undefined || value === '') {
    throw new UsageError(`--from s3 needs ${name} in the environment (see breakwater help backup).`)
  }
  return value
}

/**
 * Opens the source that the command line names.
 * @throws CommandFailed, UsageError
 */
export async function openSource(options: SourceOptions): Promise<OpenSource> {
  const close = async () => {}
  switch (options.from) {
    case 'local':
      return localSource(options)
    case 's3': {
      const endpoint =
        process.env['R2_ENDPOINT'] ?? `https://${needed('R2_ACCOUNT_ID')}.r2.cloudflarestorage.com`
      const bucket = needed('R2_BUCKET')
      const accessKeyId = needed('R2_ACCESS_KEY_ID')
      const secretAccessKey = needed('R2_SECRET_ACCESS_KEY')
      return { ...s3Source({ endpoint, bucket, accessKeyId, secretAccessKey }), variables: {}, close }
    }
    default:
      return { ...folderSource(options.from), variables: {}, close }
  }
}
