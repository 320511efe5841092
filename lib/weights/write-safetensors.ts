import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { NlrcnnError } from '../errors.js';
import { type Fill, fillWhole } from '../files/write-whole.js';
import { toFloat16 } from './weights-file.js';

/** What a tensor is written as; float32 data may become F16. */
export type StoredDtype = 'F32' | 'F16' | 'I32' | 'U8';

export interface StoredTensor {
  shape: readonly number[];
  /** Default: F32 */
  dtype?: StoredDtype;
  /** Row-major; a function is called when its turn comes, so that only one tensor is in memory. */
  data: StoredData | (() => Promise<StoredData> | StoredData);
}

type StoredData = Float32Array | Int32Array | Uint8Array;

export interface WrittenFile {
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
}

const SIZES: Record<StoredDtype, number> = { F32: 4, F16: 2, I32: 4, U8: 1 };
const KINDS: Record<StoredDtype, { new (): StoredData; name: string }> = {
  F32: Float32Array,
  F16: Float32Array,
  I32: Int32Array,
  U8: Uint8Array,
};
/** As the reference implementation pads its header. */
const ALIGNMENT = 8;

/**
 * Writes a `.safetensors` file, tensor by tensor in the order of `tensors`, and returns when it is on the disk (fsync). It is
 * there whole or not at all.
 * @throws NlrcnnError ERR_NLRCNN_IO where it cannot be written, ERR_NLRCNN_SHAPE and ERR_NLRCNN_DTYPE for data that is not
 * as declared, ERR_NLRCNN_WEIGHTS for numbers that F16 cannot hold.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<WrittenFile> {
  return fillWhole(path, safetensors(tensors, metadata), { durable: true });
}

/** Writes the content of a `.safetensors` file; throws as `writeSafetensors`. */
export function safetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Fill<WrittenFile> {
  return async (file) => {
    const hash = createHash('sha256');
    let bytes = 0;
    const write = async (chunk: Uint8Array) => {
      hash.update(chunk);
      bytes += chunk.length;
      await writeFully(file, chunk);
    };
    await write(headerOf(tensors, metadata));
    for (const [name, tensor] of tensors) await write(await bytesOf(name, tensor));
    return { bytes, sha256: hash.digest('hex') };
  };
}

function headerOf(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let end = 0;
  for (const [name, { shape, dtype = 'F32' }] of tensors) {
    const start = end;
    end += shape.reduce((a, b) => a * b, SIZES[dtype]);
    header[name] = { dtype, shape, data_offsets: [start, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const out = Buffer.alloc(8 + length, ' ');
  out.writeBigUInt64LE(BigInt(length));
  text.copy(out, 8);
  return out;
}

async function bytesOf(name: string, { shape, dtype = 'F32', data }: StoredTensor): Promise<Uint8Array> {
  const values = typeof data === 'function' ? await data() : data;
  const count = shape.reduce((a, b) => a * b, 1);
  if (values.length !== count) {
    throw new NlrcnnError(
      'ERR_NLRCNN_SHAPE',
      `Expected ${count} values of ${name} for shape [${shape.join(', ')}] but received ${values.length}`,
    );
  }
  if (!(values instanceof KINDS[dtype])) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DTYPE',
      `Expected a ${KINDS[dtype].name} for ${name} (${dtype}) but received ${values.constructor.name}`,
    );
  }
  const stored = dtype === 'F16' ? toHalves(name, values as Float32Array) : values;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

function toHalves(name: string, values: Float32Array): Uint16Array {
  const halves = toFloat16(values);
  const lost = values.findIndex((value, i) => Number.isFinite(value) && (halves[i]! & 0x7c00) === 0x7c00);
  if (lost < 0) return halves;
  throw new NlrcnnError(
    'ERR_NLRCNN_WEIGHTS',
    `Expected values of ${name} within ±65504 for fp16 but received ${values[lost]}`,
  );
}

async function writeFully(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.length - done);
    done += bytesWritten;
  }
}
