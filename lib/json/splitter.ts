import { parseRelaxed } from './relaxed.js';

/** Takes the entries of one list of a JSON file, in order. */
export interface ListSink {
  /** The list begins; where a key is there twice the last one counts, so forget what came before. */
  begin(): void;
  entry(value: unknown, index: number): void;
}

/** Text that is no JSON; the message says why and where. */
export class JsonTextError extends Error {}

/** JSON of another form than the one wanted. */
export class JsonFormError extends Error {}

/** Deeper nesting than this is refused: annotations have five levels, and deep values break what walks them. */
const MOST_DEPTH = 256;
/** An entry of a list must fit into a string. */
const MOST_BYTES = 2 ** 28;
const LONGEST_KEY = 256;
const LONGEST_SCALAR = 64;

const [OTHER, QUOTE, BACKSLASH, OPEN, CLOSE, COMMA, LETTER, SPACE, COLON] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const KINDS = new Uint8Array(256);
for (const [kind, characters] of [
  [QUOTE, '"'],
  [BACKSLASH, '\\'],
  [OPEN, '{['],
  [CLOSE, '}]'],
  [COMMA, ','],
  [LETTER, 'NI'], // of NaN and Infinity
  [SPACE, ' \t\r\n'],
  [COLON, ':'],
] as const) {
  for (const character of characters) KINDS[character.charCodeAt(0)] = kind;
}
const SQUARE = 0x5b;

const ENDS_SCALAR = new Set([COMMA, CLOSE, SPACE]);
const SCALAR = /^(true|false|null|NaN|-?Infinity|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)$/;

/** What the next byte may belong to. */
type State = 'root' | 'first key' | 'key' | 'colon' | 'value' | 'scalar' | 'skip' | 'list' | 'next' | 'end';

/**
 * Cuts the lists of a JSON file into entries as its bytes arrive and gives each to its list's sink, so that a file may be larger
 * than the longest string and memory holds what the sinks keep. A list is one of the root object's (`lists`, by key), or the
 * root itself, where it is a list (`root`). Other values are only skimmed. Entries go through `JSON.parse`, many at a time: of
 * 87 MB of polygons, reading and checking all takes 1.4 times as long as one JSON.parse of the whole, where @streamparser/json
 * takes five and stream-json ten times as long without checks; neither reads the NaN and Infinity that Python writes.
 */
export class JsonSplitter {
  readonly #lists: ReadonlyMap<string, ListSink>;
  readonly #root: ListSink | undefined;
  #state: State = 'root';
  /** Bytes before the chunk in hand. */
  #offset = 0;
  /** Open brackets, innermost last. */
  readonly #stack = new Uint8Array(MOST_DEPTH);
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** Bytes of earlier chunks that belong to the key, scalar or entries in hand. */
  #pieces: Uint8Array[] = [];
  #held = 0;
  #key = '';
  #sink: ListSink | undefined;
  #count = 0;
  #letters = false;

  constructor(lists: ReadonlyMap<string, ListSink>, root?: ListSink) {
    this.#lists = lists;
    this.#root = root;
  }

  /** @throws JsonTextError; what a sink throws. */
  write(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) at = this.#step(chunk, at);
    this.#offset += chunk.length;
  }

  /** @throws JsonTextError where the text is not complete. */
  end(): void {
    if (this.#state === 'end') return;
    if (this.#state === 'root') throw new JsonTextError('it is empty');
    throw new JsonTextError(`it ends too early, after ${this.#offset} bytes`);
  }

  #step(chunk: Uint8Array, at: number): number {
    const state = this.#state;
    if (state === 'list') return this.#entries(chunk, at);
    if (state === 'skip') return this.#skip(chunk, at);
    if (state === 'scalar') return this.#scalar(chunk, at);
    if (this.#inString) return this.#string(chunk, at);
    if (KINDS[chunk[at]!] !== SPACE && this.#structure(chunk[at]!, at) === 'scalar') return at;
    return at + 1;
  }

  /** A byte between keys and values; the state behind it. */
  #structure(byte: number, at: number): State {
    const kind = KINDS[byte];
    const state = this.#state;
    if (state === 'root' && kind === OPEN) this.#openRoot(byte, at);
    else if ((state === 'first key' || state === 'key') && kind === QUOTE) this.#inString = true;
    else if (state === 'colon' && kind === COLON) this.#state = 'value';
    else if (state === 'value') this.#openValue(byte, at);
    else if (state === 'next' && kind === COMMA) this.#state = 'key';
    else if ((state === 'next' || state === 'first key') && byte === 0x7d) this.#state = 'end';
    else throw this.#unexpected(byte, at);
    return this.#state;
  }

  #openRoot(byte: number, at: number): void {
    if (byte !== SQUARE) this.#state = 'first key';
    else if (this.#root) this.#openList(this.#root, at);
    else throw new JsonFormError('it is a list');
  }

  #openList(sink: ListSink, at: number): void {
    this.#sink = sink;
    this.#count = 0;
    this.#letters = false;
    this.#depth = 0;
    this.#push(SQUARE, at);
    sink.begin();
    this.#state = 'list';
  }

  #openValue(byte: number, at: number): void {
    const sink = this.#lists.get(this.#key);
    if (sink) {
      if (byte !== SQUARE) throw new JsonFormError(`it has no list of ${this.#key}`);
      this.#openList(sink, at);
      return;
    }
    const kind = KINDS[byte];
    if (kind === OPEN) {
      this.#depth = 0;
      this.#push(byte, at);
      this.#state = 'skip';
    } else if (kind === QUOTE) {
      this.#depth = 0;
      this.#inString = true;
      this.#state = 'skip';
    } else if (kind === OTHER || kind === LETTER) this.#state = 'scalar';
    else throw this.#unexpected(byte, at);
  }

  /** A key of the root object. */
  #string(chunk: Uint8Array, from: number): number {
    const end = this.#endOfString(chunk, from);
    if (this.#held <= LONGEST_KEY) this.#hold(chunk.subarray(from, end));
    if (this.#inString) return end;
    // A longer key is none that anyone asks for.
    const text = this.#held <= LONGEST_KEY ? this.#take() : '"';
    this.#drop();
    try {
      this.#key = text === '"' ? '' : (JSON.parse(`"${text}`) as string);
    } catch {
      throw new JsonTextError(`the key "${text} is no string`);
    }
    this.#state = 'colon';
    return end;
  }

  /** Behind the quote that ends the string in hand, or the chunk's end. */
  #endOfString(chunk: Uint8Array, from: number): number {
    let at = from;
    for (; at < chunk.length; at++) {
      if (this.#escaped) this.#escaped = false;
      else if (chunk[at] === 0x5c) this.#escaped = true;
      else if (chunk[at] === 0x22) {
        this.#inString = false;
        return at + 1;
      }
    }
    return at;
  }

  #scalar(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && !ENDS_SCALAR.has(KINDS[chunk[at]!]!)) at++;
    this.#hold(chunk.subarray(from, Math.min(at, from + LONGEST_SCALAR)));
    if (at < chunk.length || this.#held > LONGEST_SCALAR) {
      const text = this.#take();
      if (!SCALAR.test(text)) throw new JsonTextError(`${this.#key} is ${text}`);
      this.#state = 'next';
    }
    return at;
  }

  /** A value that nobody asks for: its brackets must match, no more. */
  #skip(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      if (this.#inString) {
        at = this.#endOfString(chunk, at) - 1;
        if (this.#inString) return chunk.length;
        if (this.#depth > 0) continue;
        this.#state = 'next';
        return at + 1;
      }
      const byte = chunk[at]!;
      const kind = KINDS[byte];
      if (kind === QUOTE) this.#inString = true;
      else if (kind === OPEN) this.#push(byte, at);
      else if (kind === CLOSE && this.#pop(byte, at) === 0) {
        this.#state = 'next';
        return at + 1;
      }
    }
    return chunk.length;
  }

  /** Entries of the list in hand, up to the last whole one of the chunk. */
  #entries(chunk: Uint8Array, from: number): number {
    let cut = -1;
    let letter = -1;
    let at = from;
    while (at < chunk.length) {
      if (this.#inString) {
        at = this.#endOfString(chunk, at);
        continue;
      }
      // Numbers and commas between them are most of the file: this loop sees nothing but locals.
      const top = this.#depth === 1;
      let kind = OTHER;
      for (; at < chunk.length; at++) {
        kind = KINDS[chunk[at]!]!;
        if (kind !== OTHER && (kind < COMMA || kind === LETTER || (kind === COMMA && top))) break;
      }
      if (at === chunk.length) break;
      const byte = chunk[at]!;
      if (kind === QUOTE) this.#inString = true;
      else if (kind === COMMA) cut = at;
      else if (kind === OPEN) this.#push(byte, at);
      else if (kind === LETTER) letter = at;
      else if (kind === CLOSE && this.#pop(byte, at) === 0) {
        this.#hold(chunk.subarray(from, at));
        this.#letters ||= letter >= 0;
        this.#flush(true);
        this.#state = this.#sink === this.#root ? 'end' : 'next';
        return at + 1;
      }
      at++;
    }
    if (cut >= 0) {
      this.#hold(chunk.subarray(from, cut));
      this.#letters ||= letter >= 0;
      this.#flush(false);
    }
    // Those in what is left over.
    this.#letters ||= letter > cut;
    this.#hold(chunk.subarray(cut >= 0 ? cut + 1 : from));
    return chunk.length;
  }

  #flush(last: boolean): void {
    const letters = this.#letters;
    this.#letters = false;
    let values: unknown[];
    try {
      const text = `[${this.#take()}]`;
      values = (letters ? parseRelaxed(text) : JSON.parse(text)) as unknown[];
    } catch (cause) {
      const why = (cause as Error).message.replaceAll(/\s+/g, ' ');
      throw new JsonTextError(`${why}, in ${this.#key || 'the list'} from entry ${this.#count} on`);
    }
    if (values.length === 0 && !(last && this.#count === 0))
      throw new JsonTextError(`an entry of ${this.#key || 'the list'} is missing`);
    for (const value of values) this.#sink!.entry(value, this.#count++);
  }

  #push(byte: number, at: number): void {
    if (this.#depth === MOST_DEPTH) {
      throw new JsonTextError(`it is nested deeper than ${MOST_DEPTH} levels at byte ${this.#offset + at}`);
    }
    this.#stack[this.#depth++] = byte;
  }

  /** The depth that is left. */
  #pop(byte: number, at: number): number {
    // In ASCII both closing brackets are two behind the opening ones.
    if (this.#depth === 0 || this.#stack[this.#depth - 1] !== byte - 2) throw this.#unexpected(byte, at);
    return --this.#depth;
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    if (this.#held > MOST_BYTES) {
      throw new JsonTextError(
        `entry ${this.#count} of ${this.#key || 'the list'} is longer than ${MOST_BYTES / 2 ** 20} MiB`,
      );
    }
  }

  #take(): string {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#drop();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  #drop(): void {
    this.#pieces = [];
    this.#held = 0;
  }

  #unexpected(byte: number, at: number): JsonTextError {
    const character = byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `byte ${byte}`;
    return new JsonTextError(`unexpected ${character} at byte ${this.#offset + at}`);
  }
}
