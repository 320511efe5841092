/** Stands for NaN in text on its way through JSON.parse. */
const NAN = '\u0000NaN';

/** JSON with the NaN, Infinity and -Infinity that Python's `json` writes. @throws SyntaxError */
export function parseRelaxed(text: string): unknown {
  const parts: string[] = [];
  let from = 0;
  // Outside strings: each match that opens one leads behind its end.
  const token = /"|NaN|-?Infinity/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [found] = match;
    if (found === '"') {
      token.lastIndex = endOfString(text, match.index + 1);
      continue;
    }
    parts.push(text.slice(from, match.index), found === 'NaN' ? JSON.stringify(NAN) : INFINITY[found]!);
    from = match.index + found.length;
  }
  parts.push(text.slice(from));
  return JSON.parse(parts.join(''), (_, value) => (value === NAN ? Number.NaN : value));
}

/** Numbers that no double holds. */
const INFINITY: Record<string, string> = { Infinity: '1e999', '-Infinity': '-1e999' };

function endOfString(text: string, from: number): number {
  for (let at = from; ; at++) {
    const end = text.indexOf('"', at);
    if (end < 0) return text.length;
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end + 1;
    at = end;
  }
}
