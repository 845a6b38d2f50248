import type { Channel } from '../channel.ts'
import { checkUrl, post } from './http.ts'

/** Slack's mrkdwn takes these three as markup. */
const plain = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/**
 * Posts to one of Slack's incoming webhooks. Discord, Mattermost and others that take Slack's form work as well.
 * @throws TypeError when the URL is none.
 */
export function slack(options: { readonly url: string; readonly fetch?: typeof fetch }): Channel {
  checkUrl(options.url, 'slack')
  return {
    name: 'slack',
    async send({ status, title, detail }, { signal, service }) {
      const mark = status === 'firing' ? ':rotating_light:' : ':white_check_mark:'
      const text = `${mark} *${plain(service)}*: ${plain(title)}\n${plain(detail)}`
      await post(options.url, JSON.stringify({ text }), {}, signal, 'Slack', options.fetch)
    },
  }
}
