/**
 * A bucket that fails where it is told: `put`, `get`, `delete`, `part:3` (each try), `part:3:once`, `complete`,
 * `complete:done` (it is done, and the answer is lost).
 */
export function faulty(bucket: R2Bucket, fault: string | undefined): R2Bucket {
  if (fault === undefined) return bucket
  const [what, ...more] = fault.split(':')
  const fail = (): Promise<never> => Promise.reject(new Error('We encountered an internal error. (10001)'))
  let failed = false
  const withFaults = (upload: R2MultipartUpload): R2MultipartUpload => ({
    key: upload.key,
    uploadId: upload.uploadId,
    abort: () => upload.abort(),
    async uploadPart(number, value) {
      const now = what === 'part' && number === Number(more[0]) && !(failed && more[1] === 'once')
      if (!now) return upload.uploadPart(number, value)
      failed = true
      return fail()
    },
    async complete(parts) {
      if (what !== 'complete') return upload.complete(parts)
      if (more[0] === 'done') await upload.complete(parts)
      return fail()
    },
  })
  return new Proxy(bucket, {
    get(target, name) {
      if (name === what) return fail
      if (name === 'createMultipartUpload')
        return async (...args: Parameters<R2Bucket['createMultipartUpload']>) =>
          withFaults(await target.createMultipartUpload(...args))
      if (name === 'resumeMultipartUpload')
        return (...args: Parameters<R2Bucket['resumeMultipartUpload']>) =>
          withFaults(target.resumeMultipartUpload(...args))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
