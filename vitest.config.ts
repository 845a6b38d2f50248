import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

const source = `${import.meta.dirname}/src/`

// The package under its public name, as tsconfig.json's paths have it.
const alias = [
  { find: /^breakwater$/, replacement: `${source}index.ts` },
  { find: /^breakwater\/([a-z-]+(?:\/[a-z-]+)?)$/, replacement: `${source}$1/index.ts` },
]

// After the quick ones, and two at a time: each has servers of its own, and waits more than it computes.
const together = { maxWorkers: 2, sequence: { groupOrder: 1 } }

export default defineConfig({
  test: {
    // One reporter for people, one closing line for machines.
    reporters: ['default', './tools/closing-line.ts'],
    // Real servers on a busy machine stumble. Once more, then; the closing lines name every test that needed it.
    retry: 1,
    projects: [
      {
        resolve: { alias },
        test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/unit/**/*.test.tsx'] },
      },
      {
        resolve: { alias },
        plugins: [
          cloudflareTest({
            main: './test/worker/harness.ts',
            wrangler: { configPath: './test/worker/wrangler.toml' },
          }),
        ],
        test: { name: 'worker', include: ['test/worker/**/*.test.ts'] },
      },
      {
        resolve: { alias },
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          ...together,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          ...together,
        },
      },
    ],
  },
})
