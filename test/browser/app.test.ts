import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launch } from './chromium.ts'

// What a person sees: the reference app in a real browser, and the mailbox and the error page beside it.
const state = mkdtempSync(join(tmpdir(), 'breakwater-browser-'))
const picture = join(import.meta.dirname, '../fixtures/thumbnail.png')
const email = 'grace@lighthouse.dev'
const password = 'a lamp in every window 7'

let local: Local
let browser: Browser
let context: BrowserContext
let page: Page
const complaints: string[] = []

beforeAll(async () => {
  ;[local, browser] = await Promise.all([startLocal({ state, crons: false }), launch()])
  context = await browser.newContext()
  page = await context.newPage()
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // Content-Security-Policy violations arrive here; failed requests do too, and those are the app's own business.
    if (message.type() === 'error' && !message.text().includes('status of')) complaints.push(message.text())
  })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

const said = () => page.locator('#said')

it('signs up, follows the link in the mailbox, and signs in', async () => {
  await page.goto(`${local.worker}/`)
  await expect.poll(() => said().textContent()).toBe('Not signed in.')
  await page.fill('input[name=email]', email)
  await page.fill('input[name=password]', password)
  await page.click('button[value=sign-up]')
  await expect.poll(() => said().textContent()).toContain('Look into your mailbox')

  // The mailbox page, as a person uses it.
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
  expect(page.url(), 'the token leaves the address bar').not.toContain('token')
  await page.click('button[type=submit]')
  await expect.poll(() => said().textContent()).toContain('Confirmed')

  await page.goto(`${local.worker}/`)
  await page.fill('input[name=email]', email)
  await page.fill('input[name=password]', password)
  await page.click('button[value=sign-in]')
  await expect.poll(() => page.locator('#who').textContent()).toBe(email)
  await expect.poll(() => page.locator('#devices li').count()).toBe(1)
})

it('keeps its session cookies away from script and from plain HTTP', async () => {
  const cookies = await context.cookies(local.worker)
  expect(cookies.length).toBeGreaterThan(0)
  for (const cookie of cookies) {
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })
    expect(cookie.name).toMatch(/^__Host-/)
  }
})

it('uploads a picture and shows it once it was looked at', async () => {
  await page.setInputFiles('input[name=file]', picture)
  await page.click('#upload button')
  const shown = page.locator('#uploaded img')
  await shown.waitFor({ timeout: 15_000 })
  await expect.poll(() => shown.evaluate((image: { naturalWidth: number }) => image.naturalWidth)).toBe(64)
})

it('fails politely, and the error is on the error page', async () => {
  await page.click('#boom')
  await expect.poll(() => said().textContent()).toContain('500')
  const errors = await context.newPage()
  await expect
    .poll(
      async () => {
        await errors.goto(local.sentry)
        return errors.getByText('The reference app was asked to fail').count()
      },
      { timeout: 15_000 },
    )
    .toBeGreaterThan(0)
  await errors.close()
})

it('shows a plain page for a mistyped address', async () => {
  const other = await context.newPage()
  const reply = await other.goto(`${local.worker}/no-such-page`)
  expect(reply?.status()).toBe(404)
  expect(await other.locator('h1').textContent()).toMatch(/not found/i)
  await other.close()
})

it('signs out', async () => {
  await page.click('#sign-out')
  await expect.poll(() => said().textContent()).toBe('Not signed in.')
})

it('ran without an error in the page and without a violation of its own policy', () => {
  expect(complaints).toEqual([])
})
