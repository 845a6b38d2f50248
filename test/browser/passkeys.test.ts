import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launch } from './chromium.ts'

// A real browser, with an authenticator of its own that keeps passkeys and always finds its owner.
const state = mkdtempSync(join(tmpdir(), 'breakwater-passkeys-'))
const email = 'mary@lighthouse.dev'
const password = 'a lamp in every window 7'

let local: Local
let browser: Browser
let context: BrowserContext
let page: Page
let devtools: CDPSession
let authenticatorId: string
const complaints: string[] = []

beforeAll(async () => {
  ;[local, browser] = await Promise.all([startLocal({ state, crons: false }), launch()])
  context = await browser.newContext()
  page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(error.message))
  devtools = await context.newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  const added = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  authenticatorId = added.authenticatorId
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

const said = () => page.locator('#said').textContent()
const who = () => page.locator('#who').textContent()
const held = async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials

async function signInByPassword(): Promise<void> {
  await page.fill('input[name=email]', email)
  await page.fill('input[name=password]', password)
  await page.click('button[value=sign-in]')
}

async function signOut(): Promise<void> {
  await page.click('#sign-out')
  await expect.poll(said).toBe('Not signed in.')
}

it('registers with a password, and adds a passkey', async () => {
  await page.goto(`${local.worker}/`)
  await page.fill('input[name=email]', email)
  await page.fill('input[name=password]', password)
  await page.click('button[value=sign-up]')
  await expect.poll(said).toContain('Look into your mailbox')
  const mailbox = await context.newPage()
  await expect
    .poll(
      async () => {
        await mailbox.goto(local.mail)
        return mailbox.getByText('Confirm your mail address').count()
      },
      { timeout: 15_000 },
    )
    .toBeGreaterThan(0)
  await mailbox.getByText('Confirm your mail address').first().click()
  const link = await mailbox.locator('a[href*="/verify-mail#token="]').first().getAttribute('href')
  await mailbox.close()
  await page.goto(link ?? '')
  await page.click('button[type=submit]')
  await expect.poll(said).toContain('Confirmed')

  await page.goto(`${local.worker}/`)
  await signInByPassword()
  await expect.poll(who).toBe(email)
  await page.click('#passkey-add')
  await expect.poll(() => page.locator('#passkeys li').count()).toBe(1)
  expect((await page.locator('#recovery code').textContent())?.split(' ')).toHaveLength(10)
  expect(await held()).toMatchObject([{ isResidentCredential: true, rpId: 'localhost' }])
})

it('signs out, and in again by the passkey alone', async () => {
  await signOut()
  await page.click('#passkey-sign-in')
  await expect.poll(said).toBe('Signed in.')
  expect(await who()).toBe(email)
})

it('is not let in by the password alone any more, but by both', async () => {
  await signOut()
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false })
  await signInByPassword()
  await expect.poll(said, { timeout: 10_000 }).toContain('No passkey was used.')
  expect((await context.request.get(`${local.worker}/me`)).status()).toBe(401)
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true })
  await signInByPassword()
  await expect.poll(said).toBe('Signed in.')
})

it('removes the passkey, which then opens nothing', async () => {
  await page.click('#passkeys button')
  await expect.poll(() => page.locator('#passkeys li').count()).toBe(0)
  await signOut()
  await page.click('#passkey-sign-in')
  await expect.poll(said).toContain('This passkey was not accepted.')
  await signInByPassword()
  await expect.poll(said).toBe('Signed in.')
  expect(complaints).toEqual([])
})
