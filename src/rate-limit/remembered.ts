import { Recent } from '../core/recent.ts'

/**
 * A function of a text with its latest results remembered: whoever makes one request makes more, and a keyed hash costs
 * more than the rest of a decision. A key may be as long as its caller likes; the result for one that is long is not kept.
 */
export function remembered(compute: (text: string) => string): (text: string) => string {
  const results = new Recent<string>(1000, 256)
  return (text) => {
    let result = results.get(text)
    if (result === undefined) {
      result = compute(text)
      results.set(text, result)
    }
    return result
  }
}
