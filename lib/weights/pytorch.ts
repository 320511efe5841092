import { NlrcnnError } from '../errors.js';
import { type ByteSource, type Bytes, badWeights, openSource, toSource } from './byte-source.js';
import { identify } from './identify.js';
import { Unpickler } from './pickle.js';
import { elementSize, gather, span, type TensorRef, toStorage } from './pytorch-tensor.js';
import { readDirectory, readStored } from './pytorch-zip.js';
import { findStateDict } from './state-dict.js';
import { isFloat, toFloat32, type WeightsFile } from './weights-file.js';

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
/** Files of the older form are read as a whole; the form that replaced it in 2020 has no such bound. */
const MAX_LEGACY = 2 ** 31 - 1;
/** More than any checkpoint's own description. */
const MAX_PICKLE = 256 << 20;
/** Tensors may share storages; what they hold together is bounded by this many times the file's size. */
const MAX_SHARING = 8;
/** Of float32: below this much, sharing is not looked at. */
const SMALL = 64 << 20;

/** Storages of a checkpoint by their keys. */
interface Storages {
  /** In bytes; undefined where there is none of that key. */
  size(key: string): number | undefined;
  read(key: string, start: number, length: number): Promise<Uint8Array>;
}

/**
 * A state dict of `torch.save`: the zip form and the older one. Its pickle is read as data, nothing of it is executed.
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_WEIGHTS for what is no such file.
 */
export async function openPytorch(path: string): Promise<WeightsFile> {
  const source = await openSource(path);
  try {
    return await parsePytorch(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/**
 * The same of bytes in memory, or another source of them.
 * @throws NlrcnnError ERR_NLRCNN_WEIGHTS
 */
export async function parsePytorch(bytes: Bytes): Promise<WeightsFile> {
  const source = toSource(bytes);
  const start = await source.read(0, Math.min(4, source.size));
  const found = identify(start, source.size);
  try {
    return 'form' in found && found.form === 'zip' ? await readZip(source) : await readLegacy(source);
  } catch (cause) {
    if (cause instanceof NlrcnnError) throw cause;
    throw badWeights(source.name, `a PyTorch checkpoint (${(cause as Error).message})`, cause);
  }
}

async function readZip(source: ByteSource): Promise<WeightsFile> {
  const files = await readDirectory(source);
  // The first folder is the archive's own name.
  const description = [...files.keys()].filter((name) => /^([^/]*\/)?data\.pkl$/.test(name));
  if (description.length !== 1) throw new SyntaxError(`${description.length} descriptions (data.pkl) in it`);
  const folder = description[0]!.slice(0, -'data.pkl'.length);
  const pickle = files.get(description[0]!)!;
  if (pickle.size > MAX_PICKLE) throw new SyntaxError(`a description of ${pickle.size} bytes`);
  const order = files.get(`${folder}byteorder`);
  if (order && Buffer.from(await readStored(source, order, 0, Math.min(order.size, 6))).toString() === 'big')
    throw bigEndian(source);
  const root = new Unpickler(await readStored(source, pickle)).load();
  const fileOf = (key: string) => files.get(`${folder}data/${key}`);
  return asFile(source, root, {
    size: (key) => fileOf(key)?.size,
    read: (key, start, length) => readStored(source, fileOf(key)!, start, length),
  });
}

async function readLegacy(source: ByteSource): Promise<WeightsFile> {
  if (source.size > MAX_LEGACY)
    throw badWeights(source.name, 'a file below 2 GiB in this older form: save it anew with torch.save');
  const bytes = await source.read(0, source.size);
  const elements = new Map<string, number>();
  let at = 0;
  const next = () => {
    const unpickler = new Unpickler(bytes, at, (id) => {
      const storage = toStorage(id);
      if (storage) elements.set(storage.key, storage.bytes);
    });
    const value = unpickler.load();
    at = unpickler.position;
    return value;
  };
  if (next() !== LEGACY_MAGIC) {
    throw badWeights(
      source.name,
      'a PyTorch checkpoint but it is another pickle: save its state dict with torch.save',
    );
  }
  const protocol = next();
  if (protocol !== LEGACY_PROTOCOL) throw new SyntaxError('neither a zip file nor the older form of 2017');
  const system = next();
  if (system instanceof Map && system.get('little_endian') === false) throw bigEndian(source);
  const root = next();
  const keys = next();
  const places = findStorages(bytes, at, keys, elements);
  return asFile(source, root, {
    size: (key) => places.get(key)?.length,
    read: async (key, start, length) => places.get(key)!.slice(start, start + length),
  });
}

/** Storages of the older form follow their keys: a count of elements, then these. */
function findStorages(
  bytes: Uint8Array,
  start: number,
  keys: unknown,
  elements: ReadonlyMap<string, number>,
): Map<string, Uint8Array> {
  if (!Array.isArray(keys)) throw new SyntaxError('no list of storages');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const places = new Map<string, Uint8Array>();
  let at = start;
  for (const key of keys as unknown[]) {
    if (typeof key !== 'string' && typeof key !== 'number') throw new SyntaxError('a storage without a key');
    const each = elements.get(String(key));
    if (!each) throw new SyntaxError(`storage ${String(key).slice(0, 40)} of unknown element size`);
    if (at + 8 > bytes.length) throw new SyntaxError('it is cut short: download it again');
    const length = Number(view.getBigInt64(at, true)) * each;
    if (!(length >= 0 && length <= bytes.length - at - 8))
      throw new SyntaxError('it is cut short: download it again');
    places.set(String(key), bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return places;
}

function bigEndian({ name }: ByteSource): NlrcnnError {
  return badWeights(
    name,
    'little-endian values but it was saved on a big-endian machine: save it on another',
  );
}

function asFile(source: ByteSource, root: unknown, storages: Storages): WeightsFile {
  const tensors = findStateDict(root, source.name);
  checkSharing(source, tensors);
  return {
    path: source.name,
    metadata: {},
    entries: tensors,
    close: () => source.close(),
    async read(name) {
      const tensor = tensors.get(name)!;
      if (!isFloat(tensor.dtype))
        throw badWeights(source.name, `${name} of F16, BF16, F32 or F64 but received ${tensor.kind}`);
      const each = elementSize(tensor.dtype);
      const [first, end] = span(tensor);
      const size = storages.size(tensor.storage);
      if (size === undefined)
        throw badWeights(source.name, `the values of ${name} but its storage is missing`);
      if (end * each > size) {
        const has = Math.floor(size / each);
        throw badWeights(source.name, `${end} values in the storage of ${name} but received ${has}`);
      }
      const bytes = await storages.read(tensor.storage, first * each, (end - first) * each);
      return gather(toFloat32(tensor.dtype, bytes), tensor);
    },
  };
}

/** Views of one storage, or of one value, can hold far more than the file; nothing is made from such ones. */
function checkSharing({ name, size }: ByteSource, tensors: ReadonlyMap<string, TensorRef>): void {
  let bytes = 0;
  for (const tensor of tensors.values()) {
    const [first, end] = span(tensor);
    bytes +=
      4 *
      Math.max(
        end - first,
        tensor.shape.reduce((a, b) => a * b, 1),
      );
  }
  if (bytes <= Math.max(SMALL, MAX_SHARING * size)) return;
  throw badWeights(name, `values as large as the file of ${size} bytes but its tensors hold ${bytes} bytes`);
}
