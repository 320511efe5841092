import { Global, PersistentId, Reduced } from './pickle.js';
import { isFloat, type WeightsEntry } from './weights-file.js';

/** Where the values of a tensor lie. */
export interface TensorRef extends WeightsEntry {
  /** What PyTorch calls the class of its storage, or the tensor's kind. */
  kind: string;
  /** Key of its storage. */
  storage: string;
  /** In elements, from the storage's start. */
  offset: number;
  strides: readonly number[];
}

/** A storage that a pickle speaks of. */
export interface StorageRef {
  key: string;
  kind: string;
  /** As safetensors calls it, or PyTorch where safetensors has no name for it. */
  dtype: string;
  /** Bytes of an element. */
  bytes: number;
  /** Where a view of an old file begins in the storage, in elements. */
  offset: number;
}

/** Storage classes: bytes of an element, and its dtype. */
const STORAGES = new Map<string, [bytes: number, dtype: string]>([
  ['DoubleStorage', [8, 'F64']],
  ['FloatStorage', [4, 'F32']],
  ['HalfStorage', [2, 'F16']],
  ['BFloat16Storage', [2, 'BF16']],
  ['LongStorage', [8, 'I64']],
  ['IntStorage', [4, 'I32']],
  ['ShortStorage', [2, 'I16']],
  ['CharStorage', [1, 'I8']],
  ['ByteStorage', [1, 'U8']],
  ['BoolStorage', [1, 'BOOL']],
  ['ComplexFloatStorage', [8, 'C64']],
  ['ComplexDoubleStorage', [16, 'complex128']],
  ['QInt8Storage', [1, 'qint8']],
  ['QUInt8Storage', [1, 'quint8']],
  ['QInt32Storage', [4, 'qint32']],
  ['QUInt4x2Storage', [1, 'quint4x2']],
  ['QUInt2x4Storage', [1, 'quint2x4']],
  ['UntypedStorage', [1, 'U8']],
]);

/** Functions that wrap what `_rebuild_…` another makes: which of their arguments that is. */
const WRAPPERS = new Map<string, (args: readonly unknown[]) => unknown>([
  ['torch._utils._rebuild_parameter', ([data]) => data],
  ['torch._utils._rebuild_parameter_with_state', ([data]) => data],
  ['torch._tensor._rebuild_from_type', ([rebuild, , args]) => new Reduced(rebuild, args)],
  ['torch._tensor._rebuild_from_type_v2', ([rebuild, , args]) => new Reduced(rebuild, args)],
]);
const MAX_WRAPPERS = 8;

/** Tensors that are no strided array of numbers, in words. */
const KINDS: readonly [RegExp, string][] = [
  [/^_rebuild_sparse/, 'sparse'],
  [/^_rebuild_qtensor$/, 'quantized'],
  [/^_rebuild_nested_tensor$/, 'nested'],
  [/^_rebuild_meta_tensor/, 'meta (without values)'],
  [/^_rebuild_(device_tensor|wrapper_subclass)/, 'device-specific'],
];
/** As PyTorch's own. */
const MAX_RANK = 64;

/**
 * The tensor that a pickle would make of `value`; undefined where it is none.
 * @throws SyntaxError for one that is not as PyTorch writes it.
 */
export function toTensor(value: unknown): TensorRef | undefined {
  let call = value;
  for (let depth = 0; depth < MAX_WRAPPERS; depth++) {
    if (!(call instanceof Reduced) || !(call.callable instanceof Global) || !Array.isArray(call.args))
      return undefined;
    const { path, module, name } = call.callable;
    const inner = WRAPPERS.get(path);
    if (!inner) return module === 'torch._utils' ? rebuild(name, call.args) : undefined;
    call = inner(call.args);
  }
  throw new SyntaxError('a tensor that refers to itself');
}

function rebuild(name: string, args: readonly unknown[]): TensorRef | undefined {
  const kind = KINDS.find(([pattern]) => pattern.test(name))?.[1];
  if (kind) return { dtype: kind, kind, shape: [], strides: [], offset: 0, storage: '' };
  if (!['_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_tensor_v3'].includes(name)) return undefined;
  const [storage, offset, shape, strides] = args;
  const found = storage instanceof PersistentId ? toStorage(storage.id) : undefined;
  if (!found || !isWhole(offset)) throw new SyntaxError('a tensor without a storage');
  if (!isSizes(shape)) throw new SyntaxError('a tensor without a shape');
  if (!isSizes(strides) || strides.length !== shape.length) throw new SyntaxError('a tensor without strides');
  // The dtypes that no storage class is of (unsigned integers, float8) follow the hooks.
  const other = name === '_rebuild_tensor_v3' ? args[6] : undefined;
  const dtype = other === undefined ? found.dtype : other instanceof Global ? other.name : 'unknown';
  return {
    storage: found.key,
    kind: other ? dtype : found.kind,
    dtype,
    offset: offset + found.offset,
    shape,
    strides,
  };
}

/** A reference ('storage', class, key, location, count, view?) of a pickle; undefined where it is none. */
export function toStorage(id: unknown): StorageRef | undefined {
  if (!Array.isArray(id)) return undefined;
  const [, kind, key, , , view] = id as unknown[];
  if (!(kind instanceof Global) || (typeof key !== 'string' && typeof key !== 'number')) return undefined;
  const [bytes, dtype] = STORAGES.get(kind.name) ?? [0, kind.name];
  const offset = Array.isArray(view) && isWhole(view[1]) ? view[1] : 0;
  return { key: String(key), kind: kind.name, bytes, dtype, offset };
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_RANK && value.every(isWhole);
}

/** Bytes of an element of a float dtype. */
export function elementSize(dtype: string): number {
  return dtype === 'F64' ? 8 : dtype === 'F32' ? 4 : isFloat(dtype) ? 2 : 0;
}

/** The elements of its storage that a tensor spans: [first, behind the last]; none where it is empty. */
export function span({ shape, strides, offset }: TensorRef): [number, number] {
  if (shape.includes(0)) return [0, 0];
  return [offset, shape.reduce((sum, size, d) => sum + (size - 1) * strides[d]!, offset) + 1];
}

/** The values of a strided view, row-major; `data` begins at its first element. */
export function gather(data: Float32Array, { shape, strides }: TensorRef): Float32Array {
  const axes = mergeAxes(shape, strides);
  const count = shape.reduce((a, b) => a * b, 1);
  if (axes.length === 0 || (axes.length === 1 && axes[0]!.stride === 1)) return data;
  const out = new Float32Array(count);
  const { size: columns, stride } = axes.pop()!;
  const index = axes.map(() => 0);
  for (let row = 0; row < count; row += columns) {
    let from = 0;
    for (let d = 0; d < axes.length; d++) from += index[d]! * axes[d]!.stride;
    for (let c = 0; c < columns; c++) out[row + c] = data[from + c * stride]!;
    for (let d = axes.length - 1; d >= 0 && ++index[d]! === axes[d]!.size; d--) index[d] = 0;
  }
  return out;
}

/** Without axes of one element, and with one axis for those that are stepped through as one. */
function mergeAxes(shape: readonly number[], strides: readonly number[]): { size: number; stride: number }[] {
  const axes: { size: number; stride: number }[] = [];
  for (const [d, size] of shape.entries()) {
    const stride = strides[d]!;
    const outer = axes.at(-1);
    if (size === 1) continue;
    if (outer && outer.stride === size * stride) Object.assign(outer, { size: outer.size * size, stride });
    else axes.push({ size, stride });
  }
  return axes;
}
