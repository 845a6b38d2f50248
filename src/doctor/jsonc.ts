/**
 * Parses JSON with comments and trailing commas, as wrangler.jsonc is written.
 * @throws SyntaxError
 */
export function parseJsonc(text: string): unknown {
  // A string, a comment, or a comma before a closing bracket: what is matched first wins, so that nothing
  // inside a string is taken for a comment.
  const tokens = /("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g
  const bare = text.replace(/^\uFEFF/, '').replace(tokens, (_, string?: string) => string ?? ' ')
  return JSON.parse(bare.replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])/g, (_, string?: string) => string ?? ''))
}
