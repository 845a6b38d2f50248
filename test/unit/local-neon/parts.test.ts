import { createHash } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { authenticate, Refused } from '../../../src/local/neon/authenticate.ts'
import { readCredentials } from '../../../src/local/neon/credentials.ts'
import { paramText } from '../../../src/local/neon/payload.ts'
import { openSocket, targetOf } from '../../../src/local/neon/target.ts'
import { valueJson } from '../../../src/local/neon/values.ts'
import { errorResponse, int32, MessageReader, message } from '../../../src/local/neon/wire.ts'

const TEXT_ARRAY = 1009
const INT_ARRAY = 1007

/** How Postgres writes an array of text. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(literal).join(',')}}`
  if (value === null) return 'NULL'
  return `"${String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

describe('values', () => {
  it('reads any array of text that Postgres can write', () => {
    const texts = fc.array(fc.option(fc.string({ unit: 'grapheme' }), { nil: null }), { minLength: 1 })
    fc.assert(
      fc.property(fc.oneof(texts, fc.array(texts, { minLength: 1 })), (value) => {
        expect(JSON.parse(valueJson(literal(value), TEXT_ARRAY))).toEqual(value)
      }),
    )
  })

  it.each([
    ['{}', TEXT_ARRAY, '[]'],
    ['{1,NULL,3}', INT_ARRAY, '[1,null,3]'],
    ['[0:1]={a,b}', TEXT_ARRAY, '["a","b"]'],
    ['{"NULL",NULL}', TEXT_ARRAY, '["NULL",null]'],
    ['{t,f}', 1000, '[true,false]'],
    ['{1.5,NaN}', 1022, '[1.5,"NaN"]'],
    ['{"{\\"a\\": 1}"}', 3807, '[{"a": 1}]'],
    ['-Infinity', 701, '"-Infinity"'],
    ['1e+300', 701, '1e+300'],
    ['9223372036854775807', 20, '"9223372036854775807"'],
    ['x"y', 25, '"x\\"y"'],
  ])('gives %s of type %i as %s', (text, type, json) => {
    expect(valueJson(text, type)).toBe(json)
  })

  it.each([
    [null, null],
    ['text', 'text'],
    [1.5, '1.5'],
    [true, 'true'],
    [{ a: [1] }, '{"a":[1]}'],
    [[true, false, null, 'NULL', 42, 'foo', 'bar"-\\'], '{true,false,NULL,"NULL",42,"foo","bar\\"-\\\\"}'],
    [[[1, 2], [null]], '{{1,2},{NULL}}'],
    [[{ foo: 1 }], '{"{\\"foo\\":1}"}'],
  ])('sends %j as %s', (value, text) => {
    expect(paramText(value)).toBe(text)
  })
})

it('reads who asks out of a connection string, and leaves Neon’s own options out', () => {
  expect(
    readCredentials(
      'postgresql://us%40er:p%2Fss@ep-1.neon.tech/my%20db?sslmode=require&application_name=app&options=endpoint%3Dep-1%20-c%20geqo%3Doff',
    ),
  ).toEqual({
    user: 'us@er',
    password: 'p/ss',
    database: 'my db',
    settings: { application_name: 'app', options: '-c geqo=off' },
  })
})

it('cuts messages out of a stream, whatever pieces it comes in', () => {
  const messages = fc.array(fc.tuple(fc.constantFrom('Q', 'p', 'X'), fc.uint8Array({ maxLength: 40 })))
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sent, sizes) => {
      const stream = Buffer.concat(sent.map(([type, body]) => message(type, Buffer.from(body))))
      const reader = new MessageReader()
      const got: [string, string][] = []
      for (let at = 0, n = 0; at < stream.length; n++) {
        const size = sizes[n % sizes.length] ?? 1
        reader.push(stream.subarray(at, at + size))
        at += size
        for (let next = reader.next(true); next !== undefined; next = reader.next(true)) {
          got.push([next.type, next.body.toString('hex')])
        }
      }
      expect(got).toEqual(sent.map(([type, body]) => [type, Buffer.from(body).toString('hex')]))
      expect(reader.rest()).toHaveLength(0)
    }),
  )
})

describe('authentication with a server that wants', () => {
  const servers: (() => void)[] = []
  afterAll(() => {
    for (const close of servers) close()
  })

  /** A server that asks once, and tells what it was answered. */
  async function asking(question: Buffer, verdict: (answer: string) => Buffer): Promise<Socket> {
    const server = createServer((socket) => {
      socket.once('data', () => {
        socket.write(question)
        socket.once('data', (answer) => socket.write(verdict(answer.subarray(5).toString('latin1'))))
      })
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    servers.push(() => server.close())
    const { port } = server.address() as { port: number }
    return openSocket(targetOf(`postgresql://127.0.0.1:${port}/x`))
  }

  const welcome = Buffer.concat([
    message('R', int32(0)),
    message('S', 'a\0b\0'),
    message('K', int32(7), int32(8)),
    message('Z', 'I'),
  ])
  const only = (expected: string) => (answer: string) =>
    answer === expected ? welcome : errorResponse('28P01', 'no')

  it('clear text', async () => {
    const socket = await asking(message('R', int32(3)), only('pass word\0'))
    const { greeting, key } = await authenticate(socket, Buffer.from('start'), 'me', 'pass word')
    expect(greeting.equals(welcome)).toBe(true)
    expect(key?.toString('hex')).toBe('0000000700000008')
    socket.destroy()
  })

  it('md5', async () => {
    const md5 = (text: string | Buffer) => createHash('md5').update(text).digest('hex')
    const salt = Buffer.from([1, 2, 3, 4])
    const hash = md5(Buffer.concat([Buffer.from(md5('secretme')), salt]))
    const socket = await asking(message('R', int32(5), salt), only(`md5${hash}\0`))
    await authenticate(socket, Buffer.from('start'), 'me', 'secret')
    socket.destroy()
  })

  it('nothing it can be trusted with', async () => {
    // A server that does not continue our nonce is not the one we talk to.
    const forged = message('R', int32(11), 'r=another,s=c2FsdA==,i=4096')
    const socket = await asking(message('R', int32(10), 'SCRAM-SHA-256\0\0'), () => forged)
    await expect(authenticate(socket, Buffer.from('start'), 'me', 'secret')).rejects.toThrow(
      'broke off SCRAM',
    )
    socket.destroy()
  })

  it('another password', async () => {
    const socket = await asking(message('R', int32(3)), only('other\0'))
    await expect(authenticate(socket, Buffer.from('start'), 'me', 'secret')).rejects.toBeInstanceOf(Refused)
    socket.destroy()
  })
})
