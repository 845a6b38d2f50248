/** A worker that makes backups and nothing else, for tests in workerd. */
import { createBackup } from '../../../src/backup/index.ts'

interface Bindings {
  BACKUPS: R2Bucket
  DATABASE_URL: string
  NEON_ENDPOINT: string
  BACKUP_KEY: string
}

export default {
  async fetch(_request: Request, env: Bindings): Promise<Response> {
    const backup = createBackup({
      databaseUrl: env.DATABASE_URL,
      endpoint: env.NEON_ENDPOINT,
      bucket: env.BACKUPS,
      encryptionKeys: [env.BACKUP_KEY],
    })
    try {
      return Response.json(await backup.run())
    } catch (error) {
      return new Response(String((error as Error).stack), { status: 500 })
    }
  },
}
