import { AwsV4Signer } from 'aws4fetch'

/** R2's S3 API, by which clients reach the bucket without the worker between. */
export interface DirectAccess {
  /** `https://<account>.r2.cloudflarestorage.com`. */
  readonly endpoint: string
  /** The bucket's name; the same bucket as the binding. */
  readonly bucket: string
  /** An R2 API token that may write objects of this bucket and nothing else. */
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** One request that a client may send to the bucket, once or more often, until it expires. */
export interface SignedRequest {
  readonly method: 'PUT'
  readonly url: string
  /** To be sent exactly so: they are signed. Browsers set Content-Length themselves, by the body. */
  readonly headers: Readonly<Record<string, string>>
}

/** @throws TypeError when something is missing or is no URL. */
export function checkAccess(access: DirectAccess): DirectAccess {
  for (const [name, value] of Object.entries(access)) {
    if (typeof value !== 'string' || value === '') throw new TypeError(`uploads: direct.${name} is empty`)
  }
  if (!URL.canParse(access.endpoint)) throw new TypeError('uploads: direct.endpoint is no URL')
  return access
}

/**
 * Signs a PUT (AWS Signature Version 4, in the query): where, which length, which type, until when. There is no way
 * to sign what the bytes are; that is looked at before anything is published.
 */
export async function presign(
  access: DirectAccess,
  key: string,
  {
    length,
    type,
    query = {},
    seconds,
  }: {
    readonly length: number
    readonly type?: string
    readonly query?: Readonly<Record<string, string>>
    readonly seconds: number
  },
): Promise<SignedRequest> {
  const path = key.split('/').map(encodeURIComponent).join('/')
  const url = new URL(`${access.endpoint.replace(/\/$/, '')}/${access.bucket}/${path}`)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  url.searchParams.set('X-Amz-Expires', String(seconds))
  const headers = {
    'content-length': String(length),
    ...(type !== undefined && { 'content-type': type }),
  }
  const signed = await new AwsV4Signer({
    accessKeyId: access.accessKeyId,
    secretAccessKey: access.secretAccessKey,
    service: 's3',
    region: 'auto',
    method: 'PUT',
    url: url.href,
    headers,
    signQuery: true,
    // Length and type are what aws4fetch leaves out by itself.
    allHeaders: true,
  }).sign()
  return { method: 'PUT', url: signed.url.href, headers }
}
