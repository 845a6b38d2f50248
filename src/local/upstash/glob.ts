/**
 * Whether a binary string matches a Redis glob: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` to take the next
 * character as it is. Backtracks to the last star only, so the time is at most pattern × text.
 */
export function globMatch(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let starPattern = -1
  let starText = 0
  while (t < text.length) {
    const step = p < pattern.length && pattern[p] !== '*' ? matchOne(pattern, p, text[t] as string) : 0
    if (step > 0) {
      p += step
      t++
    } else if (pattern[p] === '*') {
      starPattern = ++p
      starText = t
    } else if (starPattern >= 0) {
      p = starPattern
      t = ++starText
    } else return false
  }
  while (pattern[p] === '*') p++
  return p >= pattern.length
}

/** How many characters of the pattern match this one character; 0 when they do not. */
function matchOne(pattern: string, at: number, char: string): number {
  const head = pattern[at]
  if (head === '?') return 1
  if (head === '\\' && at + 1 < pattern.length) return pattern[at + 1] === char ? 2 : 0
  if (head !== '[') return head === char ? 1 : 0
  let i = at + 1
  const negated = pattern[i] === '^'
  if (negated) i++
  let found = false
  while (i < pattern.length && pattern[i] !== ']') {
    if (pattern[i] === '\\' && i + 1 < pattern.length) {
      i++
      if (pattern[i] === char) found = true
    } else if (pattern[i + 1] === '-' && i + 2 < pattern.length) {
      let low = pattern[i] as string
      let high = pattern[i + 2] as string
      if (low > high) [low, high] = [high, low]
      if (char >= low && char <= high) found = true
      i += 2
    } else if (pattern[i] === char) found = true
    i++
  }
  // An unclosed class ends with the pattern.
  const end = Math.min(i + 1, pattern.length)
  return found !== negated ? end - at : 0
}
