import type { CommandModule } from './command.ts'

/** Every command, loaded when it is asked for. Help shows them in this order. */
export const commands: Readonly<Record<string, () => Promise<CommandModule>>> = {
  dev: () => import('./dev.ts'),
  env: () => import('./env.ts'),
  db: () => import('./db.ts'),
  doctor: () => import('./doctor.ts'),
  backup: () => import('./backup.ts'),
  jobs: () => import('./jobs.ts'),
  uploads: () => import('./uploads.ts'),
  limits: () => import('./limits.ts'),
  alerts: () => import('./alerts.ts'),
  sourcemaps: () => import('./sourcemaps.ts'),
}
