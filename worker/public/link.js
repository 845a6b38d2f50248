import { call, say } from '/api.js'

// The page of a mailed link: #token=TOKEN.
const form = document.querySelector('#link')
const token = new URLSearchParams(location.hash.slice(1)).get('token')

// Out of the address bar and the history as soon as it is read.
history.replaceState(null, '', location.pathname)

if (!token) {
  say('This link is incomplete. Open it from the mail once more.')
} else {
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = form.querySelector('button')
    button.disabled = true
    const verifies = form.dataset.kind === 'verify'
    const reply = verifies
      ? await call('POST', '/auth/verify-mail', { token })
      : await call('POST', '/auth/password/reset', { token, newPassword: form.elements.password.value })
    if (reply.ok) {
      form.hidden = true
      say(verifies ? 'Confirmed. You can sign in now.' : 'Changed. Sign in with your new password.')
    } else {
      button.disabled = false
    }
  })
}
