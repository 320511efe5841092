/** Bounds of what a header may hold, so that reading one costs no more than its bytes. */
export interface HeaderLimits {
  /** Keys of the outermost object. */
  keys: number;
  /** Objects and arrays in one another. */
  depth: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The members of a JSON object in UTF-8. Beyond `JSON.parse`: keys of the outermost object that are there twice are refused,
 * and so is what goes beyond the limits, before anything is made from it.
 * @throws SyntaxError
 */
export function parseHeader(bytes: Uint8Array, limits: HeaderLimits): Map<string, unknown> {
  checkHeader(bytes, limits);
  const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new SyntaxError('it is no object');
  }
  return new Map(Object.entries(header));
}

/** One pass over the bytes; whether they are JSON at all is for `JSON.parse`. */
function checkHeader(bytes: Uint8Array, limits: HeaderLimits): void {
  const keys = new Set<string>();
  let depth = 0;
  // Whether a string at depth 1 would be a key.
  let atKey = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      const end = endOfString(bytes, at);
      if (depth === 1 && atKey) addKey(keys, bytes.subarray(at, end + 1), limits.keys);
      atKey = false;
      at = end;
    } else if (byte === 0x7b || byte === 0x5b) {
      atKey = ++depth === 1;
      if (depth > limits.depth)
        throw new SyntaxError(`its objects are nested more than ${limits.depth} deep`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
    else if (byte === 0x2c) atKey = depth === 1;
  }
}

function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; ; at++) {
    at = bytes.indexOf(QUOTE, at);
    if (at < 0) throw new SyntaxError('a string has no end');
    let escapes = 0;
    while (bytes[at - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at;
  }
}

function addKey(keys: Set<string>, quoted: Uint8Array, most: number): void {
  const key = JSON.parse(
    Buffer.from(quoted.buffer, quoted.byteOffset, quoted.length).toString('utf8'),
  ) as string;
  if (keys.has(key)) throw new SyntaxError(`the key ${key.slice(0, 80)} is there twice`);
  if (keys.size >= most) throw new SyntaxError(`it has more than ${most} keys`);
  keys.add(key);
}
