/**
 * Whether `Accept` (RFC 9110, section 12.5.1) ranks HTML above JSON. Browsers that navigate do; scripts, and anyone
 * who has no preference, do not.
 */
export function prefersHtml(accept: string | null | undefined): boolean {
  // The common case first: neither text/html nor text/* is named.
  if (!accept || accept.length > 2048 || !/text\/(?:html|\*)/i.test(accept)) return false
  return (
    quality(accept, 'text', 'html') >
    Math.max(quality(accept, 'application', 'problem+json'), quality(accept, 'application', 'json'))
  )
}

/** The weight of a media type: that of the most specific range which matches it, 0 when none does. */
function quality(accept: string, type: string, subtype: string): number {
  let best = 0
  let weight = 0
  for (const range of accept.split(',')) {
    const [name = '', ...parameters] = range.toLowerCase().split(';')
    const [left, right] = name.trim().split('/')
    const specificity =
      left === type && right === subtype
        ? 3
        : left === type && right === '*'
          ? 2
          : left === '*' && right === '*'
            ? 1
            : 0
    if (specificity === 0 || specificity < best) continue
    const q = parameters.map((parameter) => /^\s*q=([\d.]{1,5})\s*$/.exec(parameter)?.[1]).find(Boolean)
    const value = q === undefined ? 1 : Math.min(1, Number(q) || 0)
    weight = specificity === best ? Math.max(weight, value) : value
    best = specificity
  }
  return weight
}
