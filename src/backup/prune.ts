import { startOf } from './id.ts'
import { abandoned, expired, type Kept } from './retention.ts'
import { dataPrefix, dataRoot, manifestKey, proofKey } from './store.ts'

/** A page of keys is 1,000, and so many can be deleted at once. */
async function* pages(bucket: R2Bucket, prefix: string): AsyncGenerator<R2Objects> {
  let cursor: string | undefined
  do {
    const page = await bucket.list({ prefix, ...(cursor !== undefined && { cursor }) })
    yield page
    cursor = page.truncated ? page.cursor : undefined
  } while (cursor !== undefined)
}

async function ids(bucket: R2Bucket, prefix: string): Promise<Map<string, Date>> {
  const out = new Map<string, Date>()
  for await (const page of pages(bucket, prefix)) {
    for (const { key, uploaded } of page.objects) out.set(key.slice(prefix.length), uploaded)
  }
  return out
}

/** Complete backups: those with a manifest. */
export async function completeBackups(bucket: R2Bucket, prefix: string): Promise<Kept[]> {
  const [manifests, proofs] = await Promise.all([
    ids(bucket, manifestKey(prefix, '')),
    ids(bucket, proofKey(prefix, '')),
  ])
  const out: Kept[] = []
  for (const id of manifests.keys()) {
    // By the id and not by the bucket's own date, which a copy to another bucket would renew.
    const finishedAt = startOf(id)
    if (finishedAt !== undefined) out.push({ id, finishedAt, proven: proofs.has(id) })
  }
  return out
}

async function begun(bucket: R2Bucket, prefix: string): Promise<{ id: string; startedAt: number }[]> {
  const start = dataRoot(prefix)
  const out: { id: string; startedAt: number }[] = []
  let cursor: string | undefined
  do {
    const page = await bucket.list({ prefix: start, delimiter: '/', ...(cursor !== undefined && { cursor }) })
    for (const folder of page.delimitedPrefixes) {
      const id = folder.slice(start.length, -1)
      const startedAt = startOf(id)
      if (startedAt !== undefined) out.push({ id, startedAt })
    }
    cursor = page.truncated ? page.cursor : undefined
  } while (cursor !== undefined)
  return out
}

/** Removes a backup, its manifest first: half removed, it is none. */
export async function removeBackup(bucket: R2Bucket, prefix: string, id: string): Promise<void> {
  await bucket.delete([manifestKey(prefix, id), proofKey(prefix, id)])
  for (;;) {
    const page = await bucket.list({ prefix: dataPrefix(prefix, id) })
    if (page.objects.length > 0) await bucket.delete(page.objects.map(({ key }) => key))
    if (!page.truncated) return
  }
}

/** Removes backups past their time and the leavings of runs that died. Resolves with the ids removed. */
export async function pruneBackups(
  bucket: R2Bucket,
  {
    prefix,
    now,
    retentionMs,
  }: { readonly prefix: string; readonly now: number; readonly retentionMs: number },
): Promise<string[]> {
  const complete = await completeBackups(bucket, prefix)
  const known = new Set(complete.map(({ id }) => id))
  const gone = [...expired(complete, now, retentionMs), ...abandoned(await begun(bucket, prefix), known, now)]
  for (const id of gone) await removeBackup(bucket, prefix, id)
  return gone
}
