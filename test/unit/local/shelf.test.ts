import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { explain, LocalError } from '../../../src/local/dev/errors.ts'
import { isNoise } from '../../../src/local/dev/noise.ts'
import { writeEnvFile } from '../../../src/local/dev/vars.ts'
import { Shelf } from '../../../src/local/shelf.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-shelf-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Item {
  readonly id: string
  readonly text: string
}

describe('what is kept over a restart', () => {
  it('is always the newest, whatever was added, removed and reopened', () => {
    const file = join(folder, 'model.ndjson')
    const step = fc.oneof(
      fc.record({ add: fc.string() }),
      fc.record({ remove: fc.nat(9) }),
      fc.constant('reopen' as const),
      fc.constant('clear' as const),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        rmSync(file, { force: true })
        let shelf = new Shelf<Item>({ file, max: 5 })
        let model: Item[] = []
        let next = 0
        for (const one of steps) {
          if (one === 'reopen') {
            shelf.close()
            shelf = new Shelf<Item>({ file, max: 5 })
          } else if (one === 'clear') {
            shelf.remove(() => true)
            model = []
          } else if ('add' in one) {
            const item = { id: String(next++), text: one.add }
            shelf.add(item)
            model = [...model, item].slice(-5)
          } else {
            shelf.remove(({ id }) => Number(id) % 10 === one.remove)
            model = model.filter(({ id }) => Number(id) % 10 !== one.remove)
          }
          expect(shelf.list()).toEqual([...model].reverse())
        }
        shelf.close()
      }),
    )
  })

  it('is bounded in size as in number, the newest one excepted', () => {
    const shelf = new Shelf<Item>({ maxSize: 1000 })
    for (let i = 0; i < 20; i++) shelf.add({ id: String(i), text: 'x'.repeat(200) })
    expect(shelf.length).toBeLessThan(5)
    shelf.add({ id: 'big', text: 'x'.repeat(5000) })
    expect(shelf.list().map(({ id }) => id)).toEqual(['big'])
  })

  it('does not grow on disk without end', () => {
    const file = join(folder, 'bounded.ndjson')
    const shelf = new Shelf<Item>({ file, max: 10 })
    for (let i = 0; i < 1000; i++) shelf.add({ id: String(i), text: 'some text' })
    shelf.close()
    expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThan(25)
  })

  it('leaves out lines that are damaged', () => {
    const file = join(folder, 'damaged.ndjson')
    writeFileSync(file, '{"id":"1"}\nnot json\n[]\n\n{"id":"2"}\n{"id":"3')
    const shelf = new Shelf<Item>({ file })
    shelf.add({ id: '4', text: '' })
    shelf.close()
    expect(new Shelf<Item>({ file }).list().map(({ id }) => id)).toEqual(['4', '2', '1'])
  })
})

describe('trouble with the disk', () => {
  it.each([
    ['ENOSPC', 'the disk is full'],
    ['EROFS', 'may not write'],
    ['ENOTDIR', 'a file is in the way'],
  ])('%s is told in words', (code, said) => {
    const told = explain(Object.assign(new Error('system'), { code }), 'The state folder /x cannot be used')
    expect(told).toBeInstanceOf(LocalError)
    expect((told as Error).message).toContain(said)
  })

  it('of another kind is passed on', () => {
    const error = new Error('other')
    expect(explain(error, 'x')).toBe(error)
  })
})

describe("wrangler's output", () => {
  it.each([
    '⎔ Starting local server...',
    '[wrangler:info] Ready on http://127.0.0.1:8787',
    '[wrangler:info] GET / 200 OK (3ms)',
    'Your Worker has access to the following bindings:',
    'env.BUCKET (tiny)      R2 Bucket      local',
    '',
  ])('has noise: %j', (line) => {
    expect(isNoise(line)).toBe(true)
  })

  it.each([
    'a line of the worker',
    '{"level":"info","message":"GET /me"}',
    '✘ [ERROR] Uncaught (in promise) Error: broken',
    '[wrangler:warn] The Workers runtime crashed unexpectedly and is being restarted (crash #1).',
    'environment is development',
    '    at fetch (worker.ts:3:7)',
  ])('has what people must see: %j', (line) => {
    expect(isNoise(line)).toBe(false)
  })
})

describe('the env file', () => {
  it('is read back by dotenv’s rules as it was written', () => {
    const file = join(folder, 'worker.env')
    const vars = { A: "it's", B: 'a#b $HOME "x"', C: 'p&q=1', D: '' }
    writeEnvFile(file, vars)
    expect(readFileSync(file, 'utf8')).toBe("A=`it's`\nB='a#b $HOME \"x\"'\nC='p&q=1'\nD=''\n")
  })

  it('refuses what it cannot carry', () => {
    expect(() => writeEnvFile(join(folder, 'x.env'), { A: 'two\nlines' })).toThrow(TypeError)
  })
})
