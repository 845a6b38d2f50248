import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Local, startLocal } from 'breakwater/local'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemRows } from '../../conformance/problems-rows.ts'
import { fuzz } from '../../soak/fuzz.ts'

// What nobody should send, sent to the reference app in workerd, rendered as production does.
const state = mkdtempSync(join(tmpdir(), 'breakwater-odd-'))
const lines: string[] = []
let local: Local

beforeAll(async () => {
  local = await startLocal({
    state,
    crons: false,
    vars: { ENVIRONMENT: 'test' },
    onLog: (part, line) => part === 'worker' && lines.push(line),
  })
}, 120_000)

afterAll(async () => {
  await local?.stop()
  rmSync(state, { recursive: true, force: true })
})

const page = (): Record<string, string> => ({ origin: local.worker ?? '', 'sec-fetch-site': 'same-origin' })

interface Refusal {
  readonly status: number
  /** Empty where the connection was closed first. */
  readonly text: string
  readonly sent: number
}

/** Sends a gigabyte of white space, until somebody minds. */
function flood(url: string): Promise<Refusal> {
  const chunk = Buffer.alloc(64 * 1024, ' ')
  let sent = 0
  return new Promise((resolve) => {
    const outgoing = request(url, {
      method: 'POST',
      agent: new Agent(),
      headers: { ...page(), 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    })
    let over = false
    const end = (status: number, text: string): void => {
      over = true
      outgoing.destroy()
      resolve({ status, text, sent })
    }
    outgoing.on('response', (incoming: IncomingMessage) => {
      over = true
      let text = ''
      incoming.on('data', (data: Buffer) => (text += data.toString()))
      incoming.on('end', () => end(incoming.statusCode ?? 0, text))
      incoming.on('error', () => end(0, ''))
    })
    outgoing.on('error', () => end(0, ''))
    const more = (): void => {
      if (over || sent >= 2 ** 30) return
      sent += chunk.length
      if (outgoing.write(chunk)) setTimeout(more, 10)
      else outgoing.once('drain', () => setTimeout(more, 10))
    }
    more()
  })
}

describe('bad input', () => {
  it('a gigabyte without a length is refused as it streams, long before its end', async () => {
    // The connection is closed on who floods on, and sometimes that overtakes the refusal: then it is asked again.
    let reply: Refusal | undefined
    for (let tries = 0; tries < 8 && !reply?.text; tries++) {
      reply = await flood(`${local.worker}/auth/sign-in`)
      // What lies in sockets and proxies on the way, and no more.
      expect(reply.sent).toBeLessThan(64 * 2 ** 20)
    }
    expect(reply?.status).toBe(413)
    expect(JSON.parse(reply?.text ?? '')).toMatchObject({ code: 'payload-too-large' })
    expect((await fetch(`${local.worker}/livez`)).status).toBe(200)
  })

  it('a body that is longer than its content-length ends where the length says', async () => {
    const head = [
      'POST /auth/sign-in HTTP/1.1',
      `host: ${new URL(local.worker ?? '').host}`,
      ...Object.entries(page()).map(([name, value]) => `${name}: ${value}`),
      'content-type: application/json',
      'content-length: 12',
      'connection: close',
    ].join('\r\n')
    const answer = await new Promise<string>((resolve, reject) => {
      const { port } = new URL(local.worker ?? '')
      const socket = connect(Number(port), '127.0.0.1')
      let text = ''
      socket.on('data', (data) => (text += data.toString()))
      socket.on('end', () => resolve(text))
      socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
      socket.write(`${head}\r\n\r\n{"email":"a"${' '.repeat(100_000)}`)
    })
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('malformed-json')
  })

  it('JSON nested thousands deep is refused, and the worker lives', async () => {
    const reply = await fetch(`${local.worker}/auth/sign-in`, {
      method: 'POST',
      headers: { ...page(), 'content-type': 'application/json' },
      body: '['.repeat(5000),
    })
    expect(reply.status).toBe(400)
    expect((await fetch(`${local.worker}/livez`)).status).toBe(200)
  })

  it('a header with a newline in it makes no second header and no second log line', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const { port, host } = new URL(local.worker ?? '')
      const socket = connect(Number(port), '127.0.0.1')
      let text = ''
      socket.on('data', (data) => (text += data.toString()))
      socket.on('end', () => resolve(text))
      socket.on('error', (error) => (text === '' ? reject(error) : resolve(text)))
      socket.write(
        `GET /nothing HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\nx-request-id: forged\n{"level":"forged"}\r\nuser-agent: a\rb\r\n\r\n`,
      )
    })
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer).not.toContain('forged')
    expect(lines.some((line) => line.startsWith('{"level":"forged"'))).toBe(false)
  })
})

it('answers failures as problem details, requirement by requirement', async () => {
  // Only development has a route that fails on purpose.
  const rows = await problemRows(local, lines, (id) => !/^(kind\.12|own\.(log|event))$/.test(id))
  expect(rows.filter((row) => row.status === 'fail')).toEqual([])
  expect(rows.length).toBeGreaterThan(30)
})

it('gives nothing away to random requests, and none of them is too much for it', async () => {
  const seed = randomInt(2 ** 31)
  console.log(await fuzz(local, lines, { count: 1500, seed }))
}, 120_000)
