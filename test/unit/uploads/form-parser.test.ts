import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boundaryOf, FormError, type FormEvent, FormParser } from '../../../src/uploads/form-parser.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Part {
  readonly name: string
  readonly fileName?: string
  readonly content: Uint8Array
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    out.set(piece, at)
    at += piece.length
  }
  return out
}

function render(parts: readonly Part[], boundary: string): Uint8Array {
  const pieces: Uint8Array[] = []
  for (const { name, fileName, content } of parts) {
    const file = fileName === undefined ? '' : `; filename="${fileName}"`
    pieces.push(encode(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`))
    pieces.push(content, encode('\r\n'))
  }
  pieces.push(encode(`--${boundary}--\r\n`))
  return concat(pieces)
}

function parse(
  body: Uint8Array,
  boundary: string,
  cuts: readonly number[],
): { parts: Part[]; finished: boolean } {
  const parser = new FormParser(boundary)
  const events: FormEvent[] = []
  const edges = [0, ...[...cuts].sort((a, b) => a - b), body.length]
  for (let i = 1; i < edges.length; i++) {
    for (const event of parser.push(body.slice(edges[i - 1], edges[i]))) {
      events.push(event.kind === 'data' ? { kind: 'data', bytes: event.bytes.slice() } : event)
    }
  }
  const parts: Part[] = []
  let open: { name: string; fileName?: string; chunks: Uint8Array[] } | undefined
  for (const event of events) {
    if (event.kind === 'part') open = { ...event, chunks: [] }
    if (event.kind === 'data') open?.chunks.push(event.bytes)
    if (event.kind === 'part-end' && open !== undefined) {
      const { name, fileName, chunks } = open
      parts.push({ name, ...(fileName !== undefined && { fileName }), content: concat(chunks) })
      open = undefined
    }
  }
  return { parts, finished: parser.finished }
}

describe('a form in pieces', () => {
  it('reads the same whatever the pieces, with near-boundaries inside the files', () => {
    const boundary = 'xYz'
    // Content made of what confuses such parsers: pieces of the delimiter itself.
    const content = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '\r',
            '\n',
            '\r\n',
            '-',
            '--',
            '\r\n--',
            '\r\n--xY',
            '--xYz',
            '\r\n-',
            '\r\r\n--x',
            'a',
          ),
          fc.string({ maxLength: 5 }),
        ),
        { maxLength: 12 },
      )
      .map((pieces) => pieces.join(''))
      .filter((text) => !`\r\n${text}`.includes(`\r\n--${boundary}`))
      .map(encode)
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            name: fc.constantFrom('a', 'kind'),
            fileName: fc.constantFrom('x.png', 'naïve.txt'),
            content,
          }),
          { minLength: 1, maxLength: 4 },
        ),
        fc.array(fc.nat(), { maxLength: 30 }),
        (parts, cuts) => {
          const body = render(parts, boundary)
          const read = parse(
            body,
            boundary,
            cuts.map((cut) => cut % (body.length + 1)),
          )
          expect(read.finished).toBe(true)
          expect(read.parts).toEqual(parts)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('reads the same when cut at every single offset', () => {
    const parts = [
      { name: 'note', content: encode('hello') },
      { name: 'file', fileName: 'empty.bin', content: new Uint8Array(0) },
      { name: 'file', fileName: 'a.bin', content: encode('\r\n--bound\r\r\n--boundar') },
    ]
    const body = render(parts, 'boundary')
    for (let cut = 0; cut <= body.length; cut++) {
      expect(parse(body, 'boundary', [cut]).parts).toEqual(parts)
    }
    expect(parse(body, 'boundary', [...body.keys()]).parts).toEqual(parts)
  })

  it('does not take a body without its closing boundary for a whole one', () => {
    const body = render([{ name: 'f', fileName: 'x', content: encode('data') }], 'b')
    expect(parse(body.slice(0, -6), 'b', []).finished).toBe(false)
  })

  it('ignores what stands before the first and after the last boundary', () => {
    const body = concat([
      encode('preamble\r\n'),
      render([{ name: 'f', content: encode('x') }], 'b'),
      encode('epilogue'),
    ])
    expect(parse(body, 'b', [3]).parts).toEqual([{ name: 'f', content: encode('x') }])
  })
})

describe('a hostile form', () => {
  it('is refused when the headers of a part do not end', () => {
    const parser = new FormParser('b')
    parser.push(encode('--b\r\nX: '))
    expect(() => {
      for (let i = 0; i < 100; i++) parser.push(encode('y'.repeat(1000)))
    }).toThrow(FormError)
  })

  it('is refused when it has parts without end', () => {
    const parser = new FormParser('b')
    expect(() => {
      for (let i = 0; i < 1000; i++) {
        parser.push(encode('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'))
      }
    }).toThrow('too many parts')
  })

  it.each([
    ['--b\r\nno colon\r\n\r\nx\r\n--b--', 'malformed'],
    ['--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--', 'no form-data'],
    ['--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--', 'no form-data'],
    ['--b\r\nContent-Disposition: form-data; filename="x"\r\n\r\nx\r\n--b--', 'no name'],
    ['--bX\r\nContent-Disposition: form-data; name="x"\r\n\r\nx\r\n--b--', 'malformed'],
  ])('is refused: %j', (body, message) => {
    expect(() => new FormParser('b').push(encode(body))).toThrow(message)
  })
})

it('reads file names as browsers and curl write them', () => {
  const name = (written: string): string | undefined => {
    const body = `--b\r\nContent-Disposition: form-data; name="f"; filename="${written}"\r\n\r\n`
    const event = new FormParser('b').push(encode(body))[0]
    return event?.kind === 'part' ? event.fileName : undefined
  }
  expect(name('a%22b.png')).toBe('a"b.png')
  expect(name('a\\"b.png')).toBe('a"b.png')
  expect(name('søren 文.png')).toBe('søren 文.png')
  expect(name('')).toBe('')
})

it('finds the boundary, quoted or not, and refuses unusable ones', () => {
  expect(boundaryOf('multipart/form-data; boundary=abc')).toBe('abc')
  expect(boundaryOf('Multipart/Form-Data; charset=utf-8; boundary="a b;c"')).toBe('a b;c')
  expect(boundaryOf(`multipart/form-data; boundary=${'x'.repeat(71)}`)).toBeUndefined()
  expect(boundaryOf('multipart/form-data')).toBeUndefined()
  expect(boundaryOf('multipart/mixed; boundary=abc')).toBeUndefined()
})
