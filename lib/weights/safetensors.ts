import { type ByteSource, type Bytes, badWeights, openSource, toSource } from './byte-source.js';
import { parseHeader } from './json-header.js';
import { isFloat, toFloat32, type WeightsFile } from './weights-file.js';

/** Bits of an element by its dtype. */
const BITS = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['BOOL', 8],
  ['U8', 8],
  ['I8', 8],
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E8M0', 8],
  ['U16', 16],
  ['I16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['U32', 32],
  ['I32', 32],
  ['F32', 32],
  ['U64', 64],
  ['I64', 64],
  ['F64', 64],
  ['C64', 64],
]);
/** As in the reference implementation. */
const MAX_HEADER = 100_000_000;
/** A network of 152 layers has about 1000 tensors; the reference implementation has no bound. */
const MAX_TENSORS = 100_000;
/** The header, its entries or metadata, and their arrays. */
const MAX_DEPTH = 3;

interface Entry {
  dtype: string;
  shape: number[];
  start: number;
  bytes: number;
}

/** An open `.safetensors` file, its header checked: tensors are read one by one. */
export class SafetensorsFile implements WeightsFile {
  private constructor(
    readonly source: ByteSource,
    readonly metadata: Readonly<Record<string, string>>,
    readonly entries: ReadonlyMap<string, Entry>,
  ) {}

  /** As `parse`; @throws NlrcnnError ERR_NLRCNN_IO where the file cannot be opened. */
  static async open(path: string): Promise<SafetensorsFile> {
    const source = await openSource(path);
    try {
      return await SafetensorsFile.parse(source);
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /**
   * @throws NlrcnnError ERR_NLRCNN_WEIGHTS for what is no sound safetensors file: cut short, its header past the end or
   * above 100 MB, more than 100 000 tensors, names that are there twice, offsets that overlap, leave gaps or do not fit the
   * shape.
   */
  static async parse(source: ByteSource): Promise<SafetensorsFile> {
    const { entries, metadata } = await readHeader(source);
    return new SafetensorsFile(source, metadata, entries);
  }

  get path(): string {
    return this.source.name;
  }

  /** A tensor of F16, BF16, F32 or F64, as float32. */
  async read(name: string): Promise<Float32Array> {
    const { dtype, start, bytes } = this.entries.get(name)!;
    if (!isFloat(dtype))
      throw badWeights(this.path, `${name} of F16, BF16, F32 or F64 but received ${dtype}`);
    return toFloat32(dtype, await this.source.read(start, bytes));
  }

  async close(): Promise<void> {
    await this.source.close();
  }
}

/** The tensors of a safetensors file in memory (or another source of bytes); see `SafetensorsFile.parse`. */
export function parseSafetensors(bytes: Bytes): Promise<WeightsFile> {
  return SafetensorsFile.parse(toSource(bytes));
}

async function readHeader(source: ByteSource) {
  const { name: path, size } = source;
  if (size < 8) throw badWeights(path, `a safetensors file but it has ${size} bytes`);
  const prefix = await source.read(0, 8);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER)) {
    throw badWeights(path, `a safetensors header of at most ${MAX_HEADER} bytes but its length is ${length}`);
  }
  if (length > BigInt(size - 8)) {
    throw badWeights(
      path,
      `a safetensors header of ${length} bytes but the file has ${size}: it is cut short, download it again`,
    );
  }
  const { __metadata__, tensors } = splitHeader(path, await source.read(8, Number(length)));
  const start = 8 + Number(length);
  const entries = new Map([...tensors].map(([name, entry]) => [name, checkEntry(path, name, entry, start)]));
  checkPlaces(path, entries, start, size);
  return { entries, metadata: checkMetadata(path, __metadata__) };
}

function splitHeader(path: string, bytes: Uint8Array) {
  let tensors: Map<string, unknown>;
  try {
    tensors = parseHeader(bytes, { keys: MAX_TENSORS + 1, depth: MAX_DEPTH });
  } catch (cause) {
    throw badWeights(path, `a safetensors header in JSON (${(cause as Error).message.slice(0, 200)})`, cause);
  }
  const __metadata__ = tensors.get('__metadata__');
  tensors.delete('__metadata__');
  return { __metadata__, tensors };
}

function checkMetadata(path: string, metadata: unknown = {}): Record<string, string> {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw badWeights(path, '__metadata__ to be an object');
  const entries = Object.entries(metadata as Record<string, unknown>);
  const other = entries.find(([, value]) => typeof value !== 'string');
  if (other) throw badWeights(path, `__metadata__ of strings but ${other[0].slice(0, 80)} is none`);
  return Object.assign(Object.create(null), Object.fromEntries(entries)) as Record<string, string>;
}

/** Tensors lie side by side from the header to the file's end. */
function checkPlaces(path: string, entries: ReadonlyMap<string, Entry>, start: number, size: number): void {
  const byPlace = [...entries].sort(([, a], [, b]) => a.start - b.start || a.bytes - b.bytes);
  let end = start;
  for (const [name, entry] of byPlace) {
    if (entry.start !== end)
      throw badWeights(path, `tensors side by side but ${name} overlaps another or leaves a gap`);
    end += entry.bytes;
  }
  if (end > size) {
    throw badWeights(
      path,
      `${end} bytes as its header says but it has ${size}: it is cut short, download it again`,
    );
  }
  if (end < size) throw badWeights(path, `${end} bytes as its header says but it has ${size}`);
}

function checkEntry(path: string, name: string, value: unknown, start: number): Entry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const whole = (v: unknown) => Number.isSafeInteger(v) && (v as number) >= 0;
  const bits = BITS.get(dtype as string);
  if (!bits) throw badWeights(path, `a known dtype of ${name} but received ${brief(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(whole))
    throw badWeights(path, `a shape of ${name} but received ${brief(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole)) {
    throw badWeights(path, `two data_offsets of ${name} but received ${brief(offsets)}`);
  }
  // Where the product overflows to a rounded number, `checkPlaces` finds that it ends past the file.
  const bytes = Math.ceil((shape as number[]).reduce((a, b) => a * b, bits) / 8);
  const [from, to] = offsets as [number, number];
  if (to - from !== bytes) {
    throw badWeights(
      path,
      `${bytes} bytes for ${name} of shape [${brief(shape).slice(1, -1)}] but its offsets span ${to - from}`,
    );
  }
  return { dtype: dtype as string, shape: shape as number[], start: start + from, bytes };
}

/** For errors; the header's depth is bounded already. */
function brief(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 80) ?? 'none';
}
