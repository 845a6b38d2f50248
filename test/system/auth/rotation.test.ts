import { expect, it } from 'vitest'
import { scratchDatabase } from '../support/postgres.ts'
import { createApplication, OTHER_PASSWORD, PASSWORD, SECRET } from './support.ts'

const NEWER = 'a newer secret of the tests, long too'

it('rotates the secret without signing anybody out or spoiling a link that is on its way', async () => {
  const scratch = await scratchDatabase()
  const options = { tokens: {}, cache: { staleness: '60 s' } } as const
  const before = await createApplication(scratch, options)
  const email = 'rotated@example.com'
  await before.register(email)
  const browser = await before.signedIn(email)
  const native = await before
    .createClient()
    .post('/auth/sign-in', { email, password: PASSWORD, transport: 'token' })
  const { accessToken, refreshToken } = native.json['tokens'] as Record<string, string>
  await before.createClient().post('/auth/password/forgot', { email })
  const link = before.tokenIn((await before.runJobs()).find((mail) => mail.tag === 'reset-password'))

  const after = await createApplication(scratch, { ...options, secrets: [NEWER, SECRET] })
  const moved = after.createClient()
  for (const [name, value] of browser.jar) moved.jar.set(name, value)
  expect((await moved.get('/me')).status).toBe(200)
  const bearer = { authorization: `Bearer ${accessToken}` }
  expect((await after.createClient().get('/me', bearer)).status).toBe(200)
  const refreshed = await after.createClient().post('/auth/token/refresh', { refreshToken })
  expect(refreshed.status).toBe(200)

  // What was made since needs the newer one only; sessions by cookie need neither.
  const retired = await createApplication(scratch, { ...options, secrets: [NEWER] })
  const later = retired.createClient()
  for (const [name, value] of browser.jar) later.jar.set(name, value)
  expect((await later.get('/me')).status).toBe(200)
  const { refreshToken: fresh } = refreshed.json['tokens'] as Record<string, string>
  expect((await retired.createClient().post('/auth/token/refresh', { refreshToken: fresh })).status).toBe(200)
  expect((await retired.createClient().get('/me', bearer)).status).toBe(401)

  const reset = { token: link, newPassword: OTHER_PASSWORD }
  expect((await retired.createClient().post('/auth/password/reset', reset)).status).toBe(400)
  expect((await after.createClient().post('/auth/password/reset', reset)).status).toBe(200)
})
