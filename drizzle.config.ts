import { defineConfig } from 'drizzle-kit'
import { carryHandWrittenSql } from './tools/hand-written-sql.ts'

// Elsewhere when tools/check-migrations.ts asks what is missing.
const out = process.env['MIGRATIONS'] ?? './drizzle'
carryHandWrittenSql(out)

export default defineConfig({
  dialect: 'postgresql',
  schema: ['./src/*/schema.ts', './src/auth/*/schema.ts', './worker/schema.ts'],
  out,
  breakpoints: true,
})
