import { call, say } from '/api.js'
import { startCapture } from '/capture.js'
import { addPasskey, canUsePasskeys, secondFactorByPasskey, signInWithPasskey } from '/passkeys.js'

// First, so that nothing fails unseen.
startCapture()

const $ = (selector) => document.querySelector(selector)
const credentials = $('#credentials')
const signedIn = $('#signed-in')

function item(...parts) {
  const li = document.createElement('li')
  li.append(...parts)
  return li
}

function button(label, onClick) {
  const element = document.createElement('button')
  element.type = 'button'
  element.textContent = label
  element.addEventListener('click', onClick)
  return element
}

async function refresh() {
  const { ok, body } = await call('GET', '/me')
  credentials.hidden = ok
  signedIn.hidden = !ok
  if (!ok) {
    say('Not signed in.')
    return
  }
  $('#who').textContent = body.email
  const list = await call('GET', '/auth/sessions')
  if (list.ok) {
    $('#devices').replaceChildren(
      ...list.body.sessions.map((session) =>
        item(
          `${session.device ?? 'A device'}${session.current ? ' (this one)' : ''} `,
          ...(session.current
            ? []
            : [
                button('End', async () => {
                  await call('DELETE', `/auth/sessions/${session.id}`)
                  await refresh()
                }),
              ]),
        ),
      ),
    )
  }
  const passkeys = await call('GET', '/auth/passkeys')
  if (passkeys.ok) {
    $('#passkeys').replaceChildren(
      ...passkeys.body.passkeys.map(({ id, name }) =>
        item(
          `${name} `,
          button('Remove', async () => {
            const reply = await call('DELETE', `/auth/passkeys/${id}`)
            if (reply.ok) await refresh()
          }),
        ),
      ),
    )
  }
  say('Signed in.')
}

for (const id of ['#passkey-sign-in', '#passkey-add']) $(id).hidden = !canUsePasskeys

$('#passkey-sign-in').addEventListener('click', async () => {
  const reply = await signInWithPasskey()
  if (reply.ok) await refresh()
})

$('#passkey-add').addEventListener('click', async () => {
  const reply = await addPasskey()
  if (!reply.ok) return
  const codes = reply.body.recoveryCodes
  $('#recovery').hidden = codes === undefined
  $('#recovery code').textContent = codes?.join(' ') ?? ''
  await refresh()
})

credentials.addEventListener('submit', async (event) => {
  event.preventDefault()
  const email = credentials.elements.email.value
  const password = credentials.elements.password.value
  const action = event.submitter?.value ?? 'sign-in'
  const reply = await call('POST', `/auth/${action}`, { email, password })
  if (!reply.ok) return
  if (reply.body.status === 'mfa-required') {
    if (!reply.body.methods.includes('passkey')) say('A code is due, and this page asks for passkeys only.')
    else if ((await secondFactorByPasskey(reply.body.challenge)).ok) await refresh()
    return
  }
  if (action === 'sign-up') say('Look into your mailbox and follow the link, then sign in.')
  else await refresh()
})

$('#forgot').addEventListener('click', async () => {
  const email = credentials.elements.email.value
  if (email === '') say('Type your mail address first.')
  else if ((await call('POST', '/auth/password/forgot', { email })).ok)
    say('If there is such an account, a mail is on its way.')
})

$('#me').addEventListener('click', () => call('GET', '/me'))

$('#sign-out').addEventListener('click', async () => {
  await call('POST', '/auth/sign-out')
  $('#recovery').hidden = true
  $('#recovery code').textContent = ''
  await refresh()
})

$('#hammer').addEventListener('click', async () => {
  for (let i = 0; i < 150; i++) {
    const { status } = await call('GET', '/me')
    if (status === 429) break
  }
})

$('#boom').addEventListener('click', () => call('GET', '/boom'))

$('#upload').addEventListener('submit', async (event) => {
  event.preventDefault()
  const file = event.target.elements.file.files[0]
  const { ok, body } = await call('POST', `/uploads?kind=image&name=${encodeURIComponent(file.name)}`, file)
  if (ok) follow(body.id, file.name)
})

/** Asks until the job has looked at the file, then shows it. */
async function follow(id, name) {
  const line = item(`${name}: received`)
  $('#uploaded').append(line)
  for (let tries = 0; tries < 30; tries++) {
    const { ok, body } = await call('GET', `/uploads/${id}/status`)
    if (ok) line.textContent = `${name}: ${body.state}`
    if (body?.state === 'published') {
      const image = document.createElement('img')
      image.src = `/uploads/${id}`
      image.alt = name
      line.append(image)
      return
    }
    if (body?.state === 'rejected') return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

refresh()
