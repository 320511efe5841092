import { createReadStream } from 'node:fs';
import { NlrcnnError } from '../errors.js';
import { JsonFormError, JsonSplitter, JsonTextError, type ListSink } from './splitter.js';
import { ValueError } from './values.js';

export type { ListSink } from './splitter.js';

const CHUNK = 2 ** 20;

/** The lists of a JSON file that are wanted: those of its root object by key and, where it is a list, the root itself. */
export interface WantedLists {
  lists: Record<string, ListSink>;
  root?: ListSink;
}

/**
 * Gives the entries of lists of a JSON file to their sinks; the file may be of any size, in UTF-8 or UTF-16. `what` it should
 * be goes into the message of errors.
 * @throws NlrcnnError ERR_NLRCNN_IO for a file that cannot be read, ERR_NLRCNN_DATASET for one that is no JSON, has another root
 * or a wanted key that is no list; ERR_NLRCNN_DATASET with the file's name for a ValueError of a sink.
 */
export async function readJsonLists(file: string, what: string, { lists, root }: WantedLists): Promise<void> {
  const splitter = new JsonSplitter(new Map(Object.entries(lists)), root);
  try {
    let decode: ((chunk: Uint8Array) => Uint8Array) | undefined;
    for await (const chunk of createReadStream(file, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
      if (decode) splitter.write(decode(chunk));
      else {
        const [length, made] = encodingOf(chunk);
        decode = made;
        splitter.write(decode(chunk.subarray(length)));
      }
    }
    splitter.end();
  } catch (cause) {
    throw explain(cause, file, what);
  }
}

function explain(cause: unknown, file: string, what: string): unknown {
  if (cause instanceof JsonTextError || cause instanceof JsonFormError) {
    const why = cause instanceof JsonFormError ? cause.message : `it is no JSON (${cause.message})`;
    return new NlrcnnError('ERR_NLRCNN_DATASET', `Expected ${what} in ${file} but ${why}`, { cause });
  }
  if (cause instanceof ValueError) {
    return new NlrcnnError('ERR_NLRCNN_DATASET', `${file}: ${cause.message}`, { cause });
  }
  if (cause instanceof Error && 'syscall' in cause) {
    return new NlrcnnError('ERR_NLRCNN_IO', `${file} cannot be read (${cause.message})`, { cause });
  }
  return cause;
}

/** How many bytes of a byte-order mark there are, and what makes UTF-8 of the rest. */
function encodingOf(chunk: Buffer): [number, (chunk: Uint8Array) => Uint8Array] {
  const start = chunk.toString('hex', 0, 3);
  if (start === 'efbbbf') return [3, (bytes) => bytes];
  const name = start.startsWith('fffe') ? 'utf-16le' : start.startsWith('feff') ? 'utf-16be' : undefined;
  if (!name) return [0, (bytes) => bytes];
  const decoder = new TextDecoder(name);
  return [2, (bytes) => Buffer.from(decoder.decode(bytes, { stream: true }))];
}
