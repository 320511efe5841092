import { type FileHandle, open } from 'node:fs/promises';
import { NlrcnnError } from '../errors.js';
import { toFloat32, type WeightsFile } from './weights-file.js';

const SIZES: Record<string, number> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};
const FLOATS = ['F16', 'BF16', 'F32', 'F64'];
/** As in the reference implementation. */
const MAX_HEADER = 100_000_000;

interface Entry {
  dtype: string;
  shape: number[];
  start: number;
  bytes: number;
}

/** An open `.safetensors` file, its header checked: tensors are read one by one. */
export class SafetensorsFile implements WeightsFile {
  private constructor(
    readonly path: string,
    readonly metadata: Readonly<Record<string, string>>,
    readonly entries: ReadonlyMap<string, Entry>,
    readonly file: FileHandle,
  ) {}

  /**
   * @throws NlrcnnError ERR_NLRCNN_IO where the file cannot be opened, ERR_NLRCNN_WEIGHTS where it is not a sound
   * safetensors file (truncated, header past the end, offsets that overlap, leave gaps or do not fit the shape).
   */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
      throw new NlrcnnError(
        'ERR_NLRCNN_IO',
        `Expected a weights file but ${path} cannot be opened (${cause.code})`,
        {
          cause,
        },
      );
    });
    try {
      const stat = await file.stat();
      if (!stat.isFile())
        throw new NlrcnnError('ERR_NLRCNN_IO', `Expected a weights file but ${path} is a directory`);
      const { entries, metadata } = await readHeader(file, path, stat.size);
      return new SafetensorsFile(path, metadata, entries, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A tensor of F16, BF16, F32 or F64, as float32. */
  async read(name: string): Promise<Float32Array> {
    const { dtype, start, bytes } = this.entries.get(name)!;
    const buffer = new Uint8Array(bytes);
    await readFully(this.file, buffer, start, this.path);
    if (!FLOATS.includes(dtype))
      throw bad(this.path, `${name} of dtype ${FLOATS.join(', ')} but received ${dtype}`);
    return toFloat32(dtype, buffer);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

function bad(path: string, what: string): NlrcnnError {
  return new NlrcnnError('ERR_NLRCNN_WEIGHTS', `${path}: expected ${what}`);
}

async function readFully(
  file: FileHandle,
  buffer: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) throw bad(path, `${buffer.length} bytes at ${position} but the file ends before`);
    done += bytesRead;
  }
}

async function readHeader(file: FileHandle, path: string, size: number) {
  if (size < 8) throw bad(path, `a safetensors file but it has ${size} bytes`);
  const prefix = new Uint8Array(8);
  await readFully(file, prefix, 0, path);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(Math.min(size - 8, MAX_HEADER))) {
    throw bad(path, `a safetensors header within the file's ${size} bytes but its length is ${length}`);
  }
  const bytes = new Uint8Array(Number(length));
  await readFully(file, bytes, 8, path);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_WEIGHTS', `${path}: expected a safetensors header in JSON`, { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw bad(path, 'a header object');
  const { __metadata__: metadata = {}, ...tensors } = header as Record<string, unknown>;
  if (typeof metadata !== 'object' || metadata === null) throw bad(path, '__metadata__ to be an object');
  const start = 8 + Number(length);
  const entries = new Map(
    Object.entries(tensors).map(([name, entry]) => [name, checkEntry(path, name, entry, start, size)]),
  );
  let end = start;
  for (const [name, entry] of [...entries].sort(
    (a, b) => a[1].start - b[1].start || a[1].bytes - b[1].bytes,
  )) {
    if (entry.start !== end)
      throw bad(path, `tensors side by side but ${name} overlaps another or leaves a gap`);
    end += entry.bytes;
  }
  if (end !== size) throw bad(path, `${end} bytes as its header says but it has ${size}`);
  return { entries, metadata: metadata as Record<string, string> };
}

function checkEntry(path: string, name: string, value: unknown, start: number, size: number): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const whole = (v: unknown) => Number.isSafeInteger(v) && (v as number) >= 0;
  const each = SIZES[String(dtype)];
  if (!each) throw bad(path, `a known dtype of ${name} but received ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(whole))
    throw bad(path, `a shape of ${name} but received ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole)) {
    throw bad(path, `two data_offsets of ${name} but received ${JSON.stringify(offsets)}`);
  }
  const bytes = (shape as number[]).reduce((a, b) => a * b, each);
  const [from, to] = offsets as [number, number];
  if (to - from !== bytes) {
    throw bad(
      path,
      `${bytes} bytes for ${name} of shape [${shape.join(', ')}] but its offsets span ${to - from}`,
    );
  }
  if (start + to > size)
    throw bad(path, `${name} within the file's ${size} bytes but it ends at ${start + to}`);
  return { dtype: String(dtype), shape: shape as number[], start: start + from, bytes };
}
