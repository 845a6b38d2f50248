import { parseArgs } from 'node:util'

/**
 * Whole numbers from the command line: `--rounds 5 --seconds 2`.
 * @param defaults each option with its value when it is not given.
 * @throws TypeError for an option that there is not, or a value that is no number.
 */
export function numbers<const K extends string>(
  args: readonly string[],
  defaults: Readonly<Record<K, number>>,
): Record<K, number> {
  const names = Object.keys(defaults) as K[]
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
  })
  const found = { ...defaults } as Record<K, number>
  for (const name of names) {
    const text = (values as Readonly<Record<string, string | undefined>>)[name]
    if (text === undefined) continue
    found[name] = Number(text)
    if (!Number.isSafeInteger(found[name]) || found[name] < 1) {
      throw new TypeError(`--${name} takes a whole number above 0`)
    }
  }
  return found
}
