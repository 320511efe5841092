import { open, readFile } from 'node:fs/promises';
import yauzl from 'yauzl';
import { NlrcnnError } from '../errors.js';
import { Global, PersistentId, Reduced, Unpickler } from './pickle.js';
import { toFloat32, type WeightsFile } from './weights-file.js';

/** Storage classes: bytes of an element and, for floats, its name in safetensors. */
const STORAGES: Record<string, { bytes: number; dtype?: string }> = {
  DoubleStorage: { bytes: 8, dtype: 'F64' },
  FloatStorage: { bytes: 4, dtype: 'F32' },
  HalfStorage: { bytes: 2, dtype: 'F16' },
  BFloat16Storage: { bytes: 2, dtype: 'BF16' },
  LongStorage: { bytes: 8 },
  IntStorage: { bytes: 4 },
  ShortStorage: { bytes: 2 },
  CharStorage: { bytes: 1 },
  ByteStorage: { bytes: 1 },
  BoolStorage: { bytes: 1 },
};
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
/** Where training scripts put the state dict. */
const WRAPPERS = ['model', 'state_dict', 'model_state_dict'];
/** More than any state dict's own description. */
const MAX_PICKLE = 256 << 20;

interface TensorRef {
  storage: string;
  kind: string;
  offset: number;
  shape: number[];
  strides: number[];
}

/** Bytes of a storage by its key. */
type Storages = (key: string) => Promise<Uint8Array>;

/**
 * A state dict of `torch.save`: the zip form and the older one. Its pickle is read as data, nothing of it is executed.
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_WEIGHTS for what is no such file.
 */
export async function openPytorch(path: string): Promise<WeightsFile> {
  const start = new Uint8Array(4);
  try {
    const file = await open(path);
    await file.read(start, 0, 4, 0).finally(() => file.close());
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NlrcnnError('ERR_NLRCNN_IO', `Expected a weights file but ${path} cannot be read (${code})`, {
      cause,
    });
  }
  try {
    return start[0] === 0x50 && start[1] === 0x4b ? await openZip(path) : await openLegacy(path);
  } catch (cause) {
    if (cause instanceof NlrcnnError) throw cause;
    const why = (cause as Error).message;
    throw new NlrcnnError('ERR_NLRCNN_WEIGHTS', `${path}: expected a PyTorch checkpoint (${why})`, { cause });
  }
}

async function openZip(path: string): Promise<WeightsFile> {
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) => {
    yauzl.open(path, { lazyEntries: true, autoClose: false }, (error, file) =>
      error ? reject(error) : resolve(file),
    );
  });
  try {
    const entries = new Map<string, yauzl.Entry>();
    await new Promise<void>((resolve, reject) => {
      zip.on('entry', (entry: yauzl.Entry) => {
        // The first folder is the archive's own name.
        entries.set(entry.fileName.slice(entry.fileName.indexOf('/') + 1), entry);
        zip.readEntry();
      });
      zip.once('end', resolve).once('error', reject);
      zip.readEntry();
    });
    const read = async (name: string, most: number): Promise<Uint8Array> => {
      const entry = entries.get(name);
      if (!entry || entry.uncompressedSize > most)
        throw new SyntaxError(`no ${name} of a sane size in the archive`);
      const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
        zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)));
      });
      const out = new Uint8Array(entry.uncompressedSize);
      let at = 0;
      for await (const chunk of stream) {
        out.set(chunk as Buffer, at);
        at += chunk.length;
      }
      return out;
    };
    const tensors = findTensors(new Unpickler(await read('data.pkl', MAX_PICKLE)).load());
    return asFile(
      path,
      tensors,
      (key) => read(`data/${key}`, Number.MAX_SAFE_INTEGER),
      async () => zip.close(),
    );
  } catch (error) {
    zip.close();
    throw error;
  }
}

async function openLegacy(path: string): Promise<WeightsFile> {
  const bytes = new Uint8Array(await readFile(path));
  const magic = new Unpickler(bytes);
  if (magic.load() !== LEGACY_MAGIC) throw new SyntaxError('neither a zip file nor the older form');
  let at = magic.position;
  const next = () => {
    const unpickler = new Unpickler(bytes, at);
    const value = unpickler.load();
    at = unpickler.position;
    return value;
  };
  next(); // protocol version
  next(); // sizes of C types
  const root = next();
  const tensors = findTensors(root);
  const keys = next();
  if (!Array.isArray(keys)) throw new SyntaxError('no list of storages');
  const sizes = storageSizes(root);
  const view = new DataView(bytes.buffer);
  const places = new Map<string, Uint8Array>();
  for (const key of keys.map(String)) {
    const count = Number(view.getBigInt64(at, true));
    const each = sizes.get(key);
    if (each === undefined) throw new SyntaxError(`storage ${key} of unknown element size`);
    if (!(count >= 0) || at + 8 + count * each > bytes.length) throw new RangeError('a file that ends early');
    places.set(key, bytes.slice(at + 8, at + 8 + count * each));
    at += 8 + count * each;
  }
  return asFile(
    path,
    tensors,
    async (key) => places.get(key) ?? new Uint8Array(0),
    async () => {},
  );
}

function asFile(
  path: string,
  tensors: Map<string, TensorRef>,
  storages: Storages,
  close: () => Promise<void>,
): WeightsFile {
  return {
    path,
    metadata: {},
    entries: tensors,
    close,
    async read(name) {
      const tensor = tensors.get(name)!;
      const dtype = STORAGES[tensor.kind]?.dtype;
      if (!dtype)
        throw new NlrcnnError(
          'ERR_NLRCNN_WEIGHTS',
          `${path}: expected ${name} of floats but received ${tensor.kind}`,
        );
      const bytes = await storages(tensor.storage).catch((cause: Error) => {
        throw new NlrcnnError(
          'ERR_NLRCNN_WEIGHTS',
          `${path}: expected the data of ${name} (${cause.message})`,
          { cause },
        );
      });
      return gather(toFloat32(dtype, bytes), tensor, `${path}: ${name}`);
    },
  };
}

/** A strided view, row-major. */
function gather(data: Float32Array, { offset, shape, strides }: TensorRef, what: string): Float32Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const last = shape.reduce((sum, size, d) => sum + (size - 1) * strides[d]!, offset);
  if (count > 0 && last >= data.length) {
    throw new NlrcnnError(
      'ERR_NLRCNN_WEIGHTS',
      `${what}: expected ${last + 1} values in its storage but received ${data.length}`,
    );
  }
  const packed = shape.reduceRight(
    (expected, size, d) => (strides[d] === expected || size === 1 ? expected * size : NaN),
    1,
  );
  if (packed === count) return data.slice(offset, offset + count);
  const out = new Float32Array(count);
  const index = shape.map(() => 0);
  for (let i = 0; i < count; i++) {
    out[i] = data[index.reduce((sum, v, d) => sum + v * strides[d]!, offset)]!;
    for (let d = shape.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0;
  }
  return out;
}

/** The tensors of a state dict, or of one inside a training checkpoint. */
function findTensors(root: unknown): Map<string, TensorRef> {
  if (!(root instanceof Map)) throw new SyntaxError('its content is no dict');
  for (const key of WRAPPERS) {
    const inner = root.get(key);
    if (inner instanceof Map) return findTensors(inner);
  }
  const tensors = new Map<string, TensorRef>();
  for (const [name, value] of root) {
    const tensor = toTensor(value);
    if (tensor) tensors.set(String(name), tensor);
  }
  if (tensors.size === 0) throw new SyntaxError('its dict has no tensors');
  return tensors;
}

/** Bytes of an element of every storage that the pickle speaks of, wanted or not. */
function storageSizes(root: unknown): Map<string, number> {
  const sizes = new Map<string, number>();
  const seen = new Set<unknown>();
  const left = [root];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof PersistentId && Array.isArray(value.id) && value.id[1] instanceof Global) {
      const known = STORAGES[value.id[1].name];
      if (known) sizes.set(String(value.id[2]), known.bytes);
    } else if (value instanceof Reduced) left.push(value.callable, value.args, value.state);
    else if (value instanceof Map) left.push(...value.values());
    else if (Array.isArray(value)) left.push(...value);
  }
  return sizes;
}

function toTensor(value: unknown): TensorRef | undefined {
  if (!(value instanceof Reduced) || !(value.callable instanceof Global) || !Array.isArray(value.args))
    return undefined;
  if (value.callable.path === 'torch._utils._rebuild_parameter') return toTensor(value.args[0]);
  if (value.callable.path !== 'torch._utils._rebuild_tensor_v2') return undefined;
  const [storage, offset, shape, strides] = value.args as [unknown, unknown, unknown, unknown];
  const id = storage instanceof PersistentId ? storage.id : undefined;
  const whole = (v: unknown) => Number.isSafeInteger(v) && (v as number) >= 0;
  if (!Array.isArray(id) || !(id[1] instanceof Global) || !whole(offset))
    throw new SyntaxError('a tensor without a storage');
  for (const list of [shape, strides]) {
    if (!Array.isArray(list) || !list.every(whole)) throw new SyntaxError('a tensor without a shape');
  }
  if ((shape as number[]).length !== (strides as number[]).length)
    throw new SyntaxError('a tensor without strides');
  return {
    storage: String(id[2]),
    kind: id[1].name,
    offset: offset as number,
    shape: shape as number[],
    strides: strides as number[],
  };
}
