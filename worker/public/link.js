import { call, say } from '/api.js'

// /link#verify=TOKEN or /link#reset=TOKEN
const [kind, token] = location.hash.slice(1).split('=')
const form = document.querySelector(kind === 'verify' ? '#verify' : '#reset')

// Out of the address bar and the history as soon as it is read.
history.replaceState(null, '', location.pathname)

if ((kind !== 'verify' && kind !== 'reset') || !token) {
  say('This link is incomplete. Open it from the mail once more.')
} else {
  form.hidden = false
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = form.querySelector('button')
    button.disabled = true
    const reply =
      kind === 'verify'
        ? await call('POST', '/auth/verify-mail', { token })
        : await call('POST', '/auth/password/reset', { token, password: form.elements.password.value })
    if (reply.ok) {
      form.hidden = true
      say(kind === 'verify' ? 'Confirmed. You can sign in now.' : 'Changed. Sign in with your new password.')
    } else {
      button.disabled = false
    }
  })
}
