import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NlrcnnError } from '../errors.js';

/** Bytes that are read in parts: of a file, or in memory. */
export interface ByteSource {
  /** What errors call it: the path of a file. */
  readonly name: string;
  readonly size: number;
  /**
   * A copy of `length` bytes from `position` on.
   * @throws NlrcnnError ERR_NLRCNN_WEIGHTS where they are not all there, ERR_NLRCNN_IO where reading fails.
   */
  read(position: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** What a parser takes: bytes alone, or a source of them. */
export type Bytes = Uint8Array | ByteSource;

/** Characters of a message: names of tensors come from files, and may be of any length. */
const MAX_MESSAGE = 20_000;

/** `${name}: expected ${what}` as ERR_NLRCNN_WEIGHTS. */
export function badWeights(name: string, what: string, cause?: unknown): NlrcnnError {
  const options = cause === undefined ? undefined : { cause };
  return new NlrcnnError('ERR_NLRCNN_WEIGHTS', `${name}: expected ${what.slice(0, MAX_MESSAGE)}`, options);
}

/** @throws NlrcnnError ERR_NLRCNN_IO for what cannot be opened, and for what is no regular file. */
export async function openSource(path: string): Promise<ByteSource> {
  try {
    // Before it is opened, as opening a pipe waits for its other end.
    const found = await stat(path);
    if (!found.isFile()) throw await notAFile(path, found.isDirectory());
    const file = await open(path);
    try {
      return new FileSource(path, (await file.stat()).size, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (cause) {
    if (cause instanceof NlrcnnError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const message = `Expected a weights file but ${path} cannot be opened (${code})`;
    throw new NlrcnnError('ERR_NLRCNN_IO', message, { cause });
  }
}

export function toSource(bytes: Bytes, name = 'weights'): ByteSource {
  return bytes instanceof Uint8Array ? new MemorySource(name, bytes) : bytes;
}

class FileSource implements ByteSource {
  constructor(
    readonly name: string,
    readonly size: number,
    readonly file: FileHandle,
  ) {}

  async read(position: number, length: number): Promise<Uint8Array> {
    checkRange(this, position, length);
    const buffer = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.file
        .read(buffer, done, length - done, position + done)
        .catch((cause: NodeJS.ErrnoException) => {
          const message = `Expected to read ${this.name} but it failed (${cause.code})`;
          throw new NlrcnnError('ERR_NLRCNN_IO', message, { cause });
        });
      if (bytesRead === 0)
        throw badWeights(this.name, `${length} bytes at ${position} but the file ends before`);
      done += bytesRead;
    }
    return buffer;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

class MemorySource implements ByteSource {
  constructor(
    readonly name: string,
    readonly bytes: Uint8Array,
  ) {}

  get size(): number {
    return this.bytes.length;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    checkRange(this, position, length);
    return new Uint8Array(this.bytes.subarray(position, position + length));
  }

  async close(): Promise<void> {}
}

function checkRange({ name, size }: ByteSource, position: number, length: number): void {
  if (position >= 0 && length >= 0 && position + length <= size) return;
  throw badWeights(name, `${length} bytes at ${position} but the file ends at ${size}`);
}

/** Says which file of a folder was probably meant. */
async function notAFile(path: string, isFolder: boolean): Promise<NlrcnnError> {
  if (!isFolder) {
    return new NlrcnnError('ERR_NLRCNN_IO', `Expected a weights file but ${path} is no regular file`);
  }
  const inside = (await readdir(path)).filter((name) => /\.(safetensors|pth|pt|ckpt|bin)$/i.test(name));
  const advice = inside.length > 0 ? `; name a file in it, such as ${join(path, inside.sort()[0]!)}` : '';
  return new NlrcnnError('ERR_NLRCNN_IO', `Expected a weights file but ${path} is a directory${advice}`);
}
