/**
 * Mail: one interface, and the providers that fulfil it.
 *
 * @example
 * ```ts
 * const mailer = resend({ apiKey: env.RESEND_API_KEY, from: 'Acme <hello@acme.example>' })
 * await mailer.send({ to, subject: 'Welcome', text, html }, { idempotencyKey: `welcome:${userId}` })
 * ```
 * @module
 */
export type { Mailer, MailMessage } from '../core/ports.ts'
export { type CloudflareEmailOptions, cloudflareEmail } from './cloudflare.ts'
export { escapeHtml, Html, type HtmlValue, html } from './html.ts'
export { type KeptMail, type MemoryMailer, memoryMailer } from './memory.ts'
export { type PostmarkOptions, postmark } from './postmark.ts'
export type { ProviderOptions } from './provider.ts'
export { type ResendOptions, resend } from './resend.ts'
export {
  type LetterLine,
  letter,
  type MailContent,
  type MailTemplate,
  type MailTemplateParts,
  mailTemplate,
} from './template.ts'
