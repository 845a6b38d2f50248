import type { MailMessage } from '../core/index.ts'

/** What a mail's text is made of. */
export interface MailData {
  /** The product's name. */
  readonly app: string
  /** The product's origin. */
  readonly origin: string
  /** The link to follow; the origin in mails that only tell something. */
  readonly link: string
  /** Minutes until the link is dead; 0 in mails that only tell something. */
  readonly minutes: number
  /** Where a notice comes from, such as `Firefox on Windows, Berlin, DE`; empty when not known. */
  readonly device: string
}

/** The mails that are sent. */
export type MailKind =
  | 'verify-mail'
  | 'account-exists'
  | 'reset-password'
  | 'password-changed'
  | 'new-device'
  | 'second-factor-added'
  | 'second-factor-removed'
  | 'recovery-code-used'
  | 'passkey-added'
  | 'passkey-removed'
  | 'passkey-copied'
  | 'identity-linked'
  | 'identity-unlinked'
  | 'change-mail'
  | 'mail-change-requested'
  | 'mail-changed'
  | 'api-key-created'
  | 'account-closed'

/** What a template gives. */
export type MailContent = Pick<MailMessage, 'subject' | 'text' | 'html'>

/** The text of each mail. */
export type MailTemplates = Readonly<Record<MailKind, (data: MailData) => MailContent>>

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML shows it. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}

/** Hours where they are whole, else minutes. */
function duration(minutes: number): string {
  const [count, unit] = minutes >= 60 && minutes % 60 === 0 ? [minutes / 60, 'hour'] : [minutes, 'minute']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function letter(
  subject: string,
  paragraphs: readonly string[],
  button?: { label: string; link: string },
): MailContent {
  const [first = '', ...rest] = paragraphs
  const text = [first, ...(button ? [button.link] : []), ...rest].join('\n\n')
  const p = (paragraph: string) => `<p>${escapeHtml(paragraph)}</p>`
  const link = button ? `<p><a href="${escapeHtml(button.link)}">${escapeHtml(button.label)}</a></p>` : ''
  return { subject, text: `${text}\n`, html: `${p(first)}${link}${rest.map(p).join('')}` }
}

/** Tells that a way in has come or gone. */
const changed = (app: string, link: string, subject: string, what: string): MailContent =>
  letter(subject, [
    `Your account with ${app} ${what}, and your other devices were signed out.`,
    'If it was not you, choose a new password at once:',
    link,
  ])

/** The mails in plain English. Replace any of them by the option `mails`. */
export const defaultMails: MailTemplates = {
  'verify-mail': ({ app, link, minutes }) =>
    letter(
      `Confirm your mail address for ${app}`,
      [
        `Somebody, most likely you, signed up for ${app} with this address. Confirm it here:`,
        `The link works once, for ${duration(minutes)}. If it was not you, do nothing: the account stays shut.`,
      ],
      { label: 'Confirm the address', link },
    ),
  'account-exists': ({ app, link }) =>
    letter(
      `You already have an account with ${app}`,
      [
        `Somebody tried to sign up for ${app} with this address, which already has an account. If it was you, sign in, or choose a new password if you forgot yours:`,
        'If it was not you, do nothing: nothing has changed.',
      ],
      { label: `Go to ${app}`, link },
    ),
  'reset-password': ({ app, link, minutes }) =>
    letter(
      `Choose a new password for ${app}`,
      [
        `Somebody asked to choose a new password for your account with ${app}. If it was you, do it here:`,
        `The link works once, for ${duration(minutes)}. If it was not you, do nothing: your password stays as it is.`,
      ],
      { label: 'Choose a new password', link },
    ),
  'password-changed': ({ app, link }) =>
    letter(`Your password for ${app} was changed`, [
      `The password of your account with ${app} was changed, and your other devices were signed out.`,
      'If it was not you, choose a new password at once:',
      link,
    ]),
  'new-device': ({ app, link, device }) =>
    letter(`New sign-in to ${app}`, [
      `Somebody signed in to your account with ${app} on a device we have not seen before${device === '' ? '' : `: ${device}`}.`,
      'If it was you, there is nothing to do. If not, choose a new password at once and end that session:',
      link,
    ]),
  'second-factor-added': ({ app, link }) =>
    letter(`An authenticator app was added to ${app}`, [
      `Your account with ${app} now asks for a code of an authenticator app, and your other devices were signed out.`,
      'If it was not you, write to us at once:',
      link,
    ]),
  'second-factor-removed': ({ app, link }) =>
    letter(`The authenticator app was removed from ${app}`, [
      `Your account with ${app} no longer asks for a code, and your other devices were signed out.`,
      'If it was not you, choose a new password at once and add the app again:',
      link,
    ]),
  'recovery-code-used': ({ app, link, device }) =>
    letter(`A recovery code was used for ${app}`, [
      `Somebody signed in to your account with ${app} by a recovery code${device === '' ? '' : `: ${device}`}. It cannot be used again.`,
      'If it was not you, choose a new password and make new recovery codes at once:',
      link,
    ]),
  'passkey-added': ({ app, link, device }) =>
    changed(
      app,
      link,
      `A passkey was added to ${app}`,
      `now has a new passkey${device === '' ? '' : ` (${device})`}`,
    ),
  'passkey-removed': ({ app, link }) =>
    changed(app, link, `A passkey was removed from ${app}`, 'has one passkey less'),
  'passkey-copied': ({ app, link }) =>
    letter(`A passkey for ${app} may have been copied`, [
      `Somebody tried to sign in to your account with ${app} by a passkey that seems to exist twice, and was turned away.`,
      'Remove that passkey and add a new one:',
      link,
    ]),
  'identity-linked': ({ app, link }) =>
    changed(app, link, `A way to sign in to ${app} was added`, 'can now be opened by an account elsewhere'),
  'identity-unlinked': ({ app, link }) =>
    changed(
      app,
      link,
      `A way to sign in to ${app} was removed`,
      'can no longer be opened by an account elsewhere',
    ),
  'change-mail': ({ app, link, minutes }) =>
    letter(
      `Confirm your new mail address for ${app}`,
      [
        `Somebody, most likely you, wants to use this address for an account with ${app}. Confirm it here:`,
        `The link works once, for ${duration(minutes)}. If it was not you, do nothing.`,
      ],
      { label: 'Confirm the address', link },
    ),
  'mail-change-requested': ({ app, link }) =>
    letter(`Your mail address for ${app} is about to change`, [
      `Somebody asked to use another mail address for your account with ${app}. It changes once that address is confirmed.`,
      'If it was not you, choose a new password at once, which stops it:',
      link,
    ]),
  'mail-changed': ({ app, link }) =>
    letter(`Your mail address for ${app} was changed`, [
      `Your account with ${app} now has another mail address, and your devices were signed out.`,
      'If it was not you, write to us at once:',
      link,
    ]),
  'account-closed': ({ app, link }) =>
    letter(`Your account with ${app} was closed`, [
      `Your account with ${app} was closed, and your devices were signed out.`,
      'If it was not you, write to us at once:',
      link,
    ]),
  'api-key-created': ({ app, link }) =>
    letter(`An API key was made for ${app}`, [
      `Somebody made an API key for your account with ${app}. Programs can act for you with it.`,
      'If it was not you, revoke the key, choose a new password and end your other sessions at once:',
      link,
    ]),
}
