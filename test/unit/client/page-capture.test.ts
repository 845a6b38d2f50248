import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { pageCapture } from '../../../tools/build-page.ts'

it('the reference page serves what the sources say: else run node tools/build-page.ts', async () => {
  const served = readFileSync(join(import.meta.dirname, '../../../worker/public/capture.js'), 'utf8')
  expect(served).toBe(await pageCapture())
})

it('is under 6 KB gzipped', async () => {
  expect(gzipSync(await pageCapture(), { level: 9 }).length).toBeLessThan(6000)
})
