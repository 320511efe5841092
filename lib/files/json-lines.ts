import { type FileHandle, open, readFile } from 'node:fs/promises';
import { NlrcnnError } from '../errors.js';
import { cannotWrite, writeWhole } from './write-whole.js';

/** A file of JSON objects, one a line, to which lines are appended: a line that does not fit on the disk leaves no part of it. */
export class JsonLines {
  readonly #path: string;
  readonly #file: FileHandle;
  #size: number;

  private constructor(path: string, file: FileHandle, size: number) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  /** Writes the file anew, with the lines that it has to begin with. @throws NlrcnnError ERR_NLRCNN_IO. */
  static async create(path: string, values: readonly unknown[]): Promise<JsonLines> {
    const text = values.map(toLine).join('');
    await writeWhole(path, text, { durable: true });
    const file = await open(path, 'a').catch((cause) => {
      throw cannotWrite(path, cause);
    });
    return new JsonLines(path, file, Buffer.byteLength(text));
  }

  /** @throws NlrcnnError ERR_NLRCNN_IO where it cannot be written: the file then ends with the line before. */
  async add(value: unknown): Promise<void> {
    const line = Buffer.from(toLine(value));
    try {
      await this.#file.appendFile(line);
      this.#size += line.length;
    } catch (cause) {
      await this.#file.truncate(this.#size).catch(() => {});
      throw cannotWrite(this.#path, cause);
    }
  }

  /** Returns when all lines are on the disk. @throws NlrcnnError ERR_NLRCNN_IO. */
  async sync(): Promise<void> {
    await this.#file.sync().catch((cause) => {
      throw cannotWrite(this.#path, cause);
    });
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/**
 * The objects of a file, none where it is missing; a line that a kill cut short ends them.
 * @throws NlrcnnError ERR_NLRCNN_IO where it is there but cannot be read.
 */
export async function readJsonLines<T>(path: string): Promise<T[]> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw new NlrcnnError('ERR_NLRCNN_IO', `Expected JSON lines but ${path} cannot be read (${cause.code})`, {
      cause,
    });
  });
  const out: T[] = [];
  for (const line of text.split('\n')) {
    try {
      out.push(JSON.parse(line));
    } catch {
      break;
    }
  }
  return out;
}

const toLine = (value: unknown) => `${JSON.stringify(value)}\n`;
