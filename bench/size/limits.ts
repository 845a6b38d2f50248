/** Kilobytes (1,000 bytes) gzipped that a subpath's own code may weigh, dependencies apart. Lower them, never raise them lightly. */
export const limits: Readonly<Record<string, number>> = {
  core: 6,
  env: 3,
  'rate-limit': 8,
  auth: 30,
  capture: 25,
}

/** Kilobytes gzipped of the whole reference worker, dependencies and database driver included. */
export const workerLimit = 160
