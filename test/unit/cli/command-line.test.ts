import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CommandModule, UsageError } from '../../../src/cli/command.ts'
import { commandHelp } from '../../../src/cli/help.ts'
import { nearest } from '../../../src/cli/nearest.ts'
import { parseCommandLine, parsePort } from '../../../src/cli/parse.ts'

const command: CommandModule = {
  name: 'dev',
  summary: 'Runs.',
  options: {
    port: { type: 'string', value: 'N', summary: 'A port.' },
    reset: { type: 'boolean', short: 'r', summary: 'Anew.' },
    'env-file': { type: 'string', multiple: true, summary: 'Files.' },
  },
  run: async () => 0,
}

describe('a command line', () => {
  it('gives flags by their names, however they are written', () => {
    expect(
      parseCommandLine(command, ['--port', '1', '-r', '--env-file=a', '--env-file', 'b']).values,
    ).toEqual({
      port: '1',
      reset: true,
      'env-file': ['a', 'b'],
    })
  })

  it.each([
    [['--prot', '1'], 'did you mean --port?'],
    [['--zzzzzzz'], 'see breakwater help dev'],
    [['--port'], '--port needs a value: --port N.'],
    [['--port', '--reset'], '--port needs a value: --port N.'],
    [['--port='], '--port needs a value'],
    [['--reset=yes'], '--reset takes no value.'],
    [['--port', '1', '--port', '2'], '--port was given twice.'],
    [['extra'], 'takes no argument such as "extra"'],
    [['--constructor'], 'has no flag --constructor'],
    [['--__proto__=1'], 'has no flag --__proto__'],
  ])('is refused in one sentence: %j', (args, said) => {
    expect(() => parseCommandLine(command, args)).toThrow(UsageError)
    expect(() => parseCommandLine(command, args)).toThrow(said)
  })

  it('never fails but with a sentence', () => {
    const word = fc.oneof(
      fc.constantFrom('--port', '-r', '--', '--env-file', '--no-reset', '-', '-rp'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(word), (args) => {
        try {
          parseCommandLine({ ...command, positionals: '[any…]' }, args)
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError)
        }
      }),
    )
  })

  it.each(['-1', '65536', '80a', '', '1e3', ' 80', '999999'])('knows that %j is no port', (port) => {
    expect(() => parsePort('--port', port)).toThrow(UsageError)
  })

  it('shows every flag in its help', () => {
    const help = commandHelp(command)
    for (const text of ['--port N', '-r, --reset', '--env-file', 'Runs.']) expect(help).toContain(text)
  })
})

describe('the nearest word', () => {
  const words = ['dev', 'doctor', 'env', 'backup', 'restore', 'jobs', 'init']

  it.each([
    ['dve', 'dev'],
    ['docter', 'doctor'],
    ['backpu', 'backup'],
    ['back', 'backup'],
    ['job', 'jobs'],
    ['restroe', 'restore'],
  ])('to %s is %s', (typed, meant) => {
    expect(nearest(typed, words)).toBe(meant)
  })

  it('is none when nothing is near', () => {
    expect(nearest('deploy-everything', words)).toBeUndefined()
    expect(nearest('zz', words)).toBeUndefined()
  })

  it('finds a word through any one mistake', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('doctor', 'backup', 'restore'),
        fc.nat(5),
        fc.constantFrom('x', ''),
        (word, at, by) => {
          const typed = word.slice(0, at) + by + word.slice(at + 1)
          expect(nearest(typed, words)).toBe(word)
        },
      ),
    )
  })
})
