const MOST = 1000

/**
 * A function of a text with its latest results remembered: whoever makes one request makes more, and a keyed hash costs
 * more than the rest of a decision. Bounded: two generations of results, the older of which is dropped when the younger is full.
 */
export function remembered(compute: (text: string) => string): (text: string) => string {
  let young = new Map<string, string>()
  let old = new Map<string, string>()
  return (text) => {
    let result = young.get(text)
    if (result !== undefined) return result
    result = old.get(text) ?? compute(text)
    // A key may be as long as its caller likes; what is long is not kept.
    if (text.length > 256) return result
    if (young.size >= MOST) {
      old = young
      young = new Map()
    }
    young.set(text, result)
    return result
  }
}
