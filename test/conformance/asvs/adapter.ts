import type { Browser, Reply } from './browser.ts'

/** A mail as the person gets it. */
export interface Mail {
  readonly subject: string
  readonly text: string
}

/**
 * How the suite speaks to one implementation. What it has no way to do is left out, and the rows that need it do
 * not pass; only what the standard lets an application leave out does not apply.
 */
export interface Adapter {
  readonly name: string
  readonly base: string
  /** The session cookie's name. */
  readonly cookie: string
  /** The whole of the application's own documentation of authentication. */
  readonly documentation?: string
  /** How long a reset token lives. */
  readonly resetMinutes: number
  /** A route that changes something, for those who are signed in. */
  readonly change: { readonly method: string; readonly path: string; readonly body?: unknown }

  signUp(browser: Browser, email: string, password: string): Promise<Reply>
  /** Follows the link of the verification mail, where there is one. */
  verify(browser: Browser, email: string): Promise<void>
  signIn(browser: Browser, email: string, password: string): Promise<Reply>
  signOut(browser: Browser): Promise<Reply>
  /** Whether somebody is signed in. */
  signedIn(browser: Browser): Promise<boolean>
  changePassword(browser: Browser, current: string, next: string): Promise<Reply>
  forgot(browser: Browser, email: string): Promise<Reply>
  /** The token of the latest reset mail. */
  resetToken(email: string): Promise<string>
  reset(browser: Browser, token: string, password: string): Promise<Reply>
  mails(email: string): Promise<readonly Mail[]>
  /** Ids of a person's sessions. */
  sessions(browser: Browser): Promise<Reply>
  endOthers(browser: Browser): Promise<Reply>

  /** Adds an authenticator app. */
  enrol?(
    browser: Browser,
    password: string,
  ): Promise<{ readonly secret: Uint8Array<ArrayBuffer>; readonly recovery: readonly string[] }>
  /** Whether a sign-in's reply asks for a second factor. */
  asksForCode?(reply: Reply): boolean
  code?(browser: Browser, challenge: Reply, code: string): Promise<Reply>
  recoveryCode?(browser: Browser, challenge: Reply, code: string): Promise<Reply>
  changeMail?(browser: Browser, email: string): Promise<Reply>
  /** Rows of the database as text, to see what is at rest. */
  atRest?(): Promise<string>
  /** What was logged so far. */
  logs?(): string
  /** Makes a session look this much older: since sign-in, or since use. */
  age?(email: string, what: 'authenticated' | 'used' | 'absolute', days: number): Promise<void>
  /** As an administrator. */
  disable?(email: string): Promise<void>
  endAll?(email: string): Promise<void>
  /** What was recorded about somebody. */
  events?(email: string): Promise<readonly string[]>
  /** A password that the stand-in of the range service calls breached. */
  readonly breached?: string
  /** Makes the tokens that were mailed to somebody a day older. */
  expireTokens?(email: string): Promise<void>
  /** Signs what an access token says with the application's own key, for an audience. */
  signAccess?(head: string, audience?: string): Promise<string>
  /** Makes an API key, where there are any. */
  apiKey?(browser: Browser): Promise<string>
  /** Tries to change and to delete what was recorded, as the application could. Gives what was let through. */
  tamper?(email: string): Promise<readonly string[]>
  /** An access token, for who has them. */
  accessToken?(browser: Browser, email: string, password: string): Promise<string>
}

/** Thrown by a row that does not apply to an implementation. */
export class NotApplicable extends Error {}

/** Fails a row. */
export function must(condition: boolean, complaint: string): asserts condition {
  if (!condition) throw new Error(complaint)
}

/** A requirement, and how to see whether it is met. */
export interface Requirement {
  readonly id: string
  readonly level: 1 | 2 | 3
  readonly title: string
  /** Why it does not apply to anybody who is asked here. */
  readonly na?: string
  run?(subject: Subject): Promise<void>
}

/** An implementation and people who have accounts there. */
export interface Subject {
  readonly on: Adapter
  browser(): Browser
  /** An address nobody has used. */
  address(): string
  /** Somebody with a verified account. */
  person(): Promise<Person>
  /** Somebody signed in. */
  guest(): Promise<Person & { readonly browser: Browser }>
}

export interface Person {
  readonly email: string
  readonly password: string
}
