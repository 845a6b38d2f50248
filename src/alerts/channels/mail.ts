import type { Mailer } from '../../core/index.ts'
import type { Channel } from '../channel.ts'

const html = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Sends a mail to each address. A try that is repeated does not send twice where the provider knows idempotency keys. */
export function mail(options: { readonly mailer: Mailer; readonly to: readonly string[] }): Channel {
  if (options.to.length === 0) throw new TypeError('mail needs somebody to write to')
  return {
    name: 'mail',
    async send({ key, status, title, detail, at, since }, { signal, service }) {
      const subject = `[${service}] ${title}`.replace(/[\r\n]+/g, ' ').slice(0, 200)
      const when = new Date(at).toISOString()
      await Promise.all(
        options.to.map((to) =>
          options.mailer.send(
            {
              to,
              subject,
              text: `${title}\n\n${detail}\n\n${when}\n`,
              html: `<p><strong>${html(title)}</strong></p><p>${html(detail)}</p><p>${when}</p>`,
              tag: 'alert',
            },
            { idempotencyKey: `alert-${key}-${status}-${since}-${to}`.slice(0, 250), signal },
          ),
        ),
      )
    },
  }
}
