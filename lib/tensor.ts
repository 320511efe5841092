import { types } from 'node:util';
import ndarray, { type NdArray } from 'ndarray';
import { binding, type DType, type HostTensor, type NativeTensor, type TypedArray } from './binding.js';
import type { Device } from './device.js';
import { describe, NlrcnnError } from './errors.js';

/** Also arrays of other realms and subclasses, as Buffer. */
function dtypeOf(data: unknown): DType | undefined {
  if (types.isFloat32Array(data)) return 'float32';
  if (types.isUint8Array(data)) return 'uint8';
  if (types.isUint16Array(data)) return 'uint16';
  if (types.isInt32Array(data)) return 'int32';
  return types.isBigInt64Array(data) ? 'int64' : undefined;
}

/** A typed handle to an array on the device. Ops give it back before they have run; `read()` waits for them. */
export class Tensor {
  /** The native handle, for ops. */
  readonly native: NativeTensor;

  constructor(native: NativeTensor) {
    this.native = native;
  }

  /**
   * Copies `data` (row-major, also over shared memory) to `device`, "cpu" or "cuda:N".
   * @throws NlrcnnError ERR_NLRCNN_DTYPE for arrays of another kind, ERR_NLRCNN_SHAPE where the length does not fit,
   * ERR_NLRCNN_DEVICE, ERR_NLRCNN_OUT_OF_MEMORY.
   */
  static from(data: TypedArray, shape: readonly number[], device: Device = 'cpu'): Tensor {
    const dtype = dtypeOf(data);
    if (!dtype) {
      const kinds = 'a Float32Array, Uint8Array, Uint16Array, Int32Array or BigInt64Array';
      throw new NlrcnnError('ERR_NLRCNN_DTYPE', `Expected ${kinds} but received ${describe(data)}`);
    }
    if (!Array.isArray(shape)) {
      throw new NlrcnnError(
        'ERR_NLRCNN_SHAPE',
        `Expected an array of dimensions but received ${describe(shape)}`,
      );
    }
    for (const side of shape) {
      if (Number.isSafeInteger(side) && side >= 0) continue;
      throw new NlrcnnError(
        'ERR_NLRCNN_SHAPE',
        `Expected whole, non-negative dimensions but received ${describe(side)}`,
      );
    }
    const count = shape.reduce((a, b) => a * b, 1);
    if (data.length !== count) {
      throw new NlrcnnError(
        'ERR_NLRCNN_SHAPE',
        `Expected ${count} values for shape [${shape.join(', ')}] but received ${data.length}`,
      );
    }
    return new Tensor(binding().tensor(dtype, shape, data, device));
  }

  get dtype(): DType {
    return this.native.dtype;
  }

  /** -1 marks a dimension that only the run of the op tells (for example of `nms`). */
  get shape(): readonly number[] {
    return this.native.shape;
  }

  /** "cpu" or "cuda:N"; null for a value of a recording. */
  get device(): Device | null {
    return this.native.device as Device | null;
  }

  get disposed(): boolean {
    return this.native.disposed;
  }

  /** The values, row-major, once every op before has run; rejects with the error of an op that failed. */
  async read(): Promise<HostTensor> {
    return binding().read(this.native);
  }

  /** As `read()`, as an ndarray. */
  async toNdarray(): Promise<NdArray<Exclude<TypedArray, BigInt64Array>>> {
    const { data, shape, dtype } = await this.read();
    if (data instanceof BigInt64Array) {
      throw new NlrcnnError('ERR_NLRCNN_DTYPE', `Expected a dtype of at most 32 bits but received ${dtype}`);
    }
    return ndarray(data, shape);
  }

  /** Frees the device memory; ops already queued still have it. */
  dispose(): void {
    this.native.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
