import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: ['./src/*/schema.ts', './src/auth/*/schema.ts', './worker/schema.ts'],
  // Elsewhere when tools/check-migrations.ts asks what is missing.
  out: process.env['MIGRATIONS'] ?? './drizzle',
  breakpoints: true,
})
