import { checkList } from './arguments.js';
import {
  binding,
  type DType,
  type NativeAttrs,
  type NativePlan,
  type NativeRecorder,
  type NativeTensor,
} from './binding.js';
import { cudaVerdict } from './cuda.js';
import { invalidArgument, NlrcnnError } from './errors.js';
import { Tensor } from './tensor.js';

/** Where tensors live and ops run. */
export type Device = 'cpu' | `cuda:${number}`;
/** What `loadModel` takes; `auto` is the fastest device that this build and this machine have. */
export type DeviceOption = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;
/**
 * What activations are kept in; sums are always in float32. `tf32`: float32 with matrix products of 10-bit factors. All
 * but `fp32` need a CUDA device.
 */
export type Precision = 'fp32' | 'tf32' | 'fp16' | 'bf16';

const PRECISIONS: readonly string[] = ['fp32', 'bf16', 'fp16', 'tf32'];

/**
 * The device that an option stands for.
 * @throws NlrcnnError ERR_NLRCNN_DEVICE for CUDA devices that are not there, ERR_NLRCNN_ARGUMENT for anything unknown.
 */
export function resolveDevice(device: DeviceOption = 'auto'): Device {
  if (device === 'cpu') return 'cpu';
  if (device === 'auto') {
    const [first] = cudaVerdict().gpus;
    return first === undefined ? 'cpu' : `cuda:${first}`;
  }
  const match = typeof device === 'string' && device.match(/^cuda(?::(\d{1,3}))?$/);
  if (!match) throw invalidArgument('auto, cpu, cuda or cuda:N', 'device', device);
  const { gpus, reason } = cudaVerdict();
  if (gpus.length === 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DEVICE',
      `Expected device ${device} to be usable but ${reason}; use --device cpu`,
    );
  }
  const wanted = match[1] === undefined ? gpus[0]! : Number(match[1]);
  if (!gpus.includes(wanted)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DEVICE',
      `Expected one of ${gpus.map((i) => `cuda:${i}`).join(', ')} but received ${device}`,
    );
  }
  return `cuda:${wanted}`;
}

/** @throws NlrcnnError ERR_NLRCNN_UNSUPPORTED for a precision that the device does not have. */
export function resolvePrecision(device: Device, precision: Precision = 'fp32'): Precision {
  if (!PRECISIONS.includes(precision)) {
    throw invalidArgument(`one of ${PRECISIONS.join(', ')}`, 'precision', precision);
  }
  if (precision === 'fp32' || device !== 'cpu') return precision;
  throw new NlrcnnError(
    'ERR_NLRCNN_UNSUPPORTED',
    `Expected precision fp32 on device ${device} but received ${precision}`,
  );
}

/** Takes op calls: runs them at once, or records them. */
export interface OpContext {
  op(name: string, inputs: readonly (Tensor | null | undefined)[], attrs?: NativeAttrs): Tensor[];
}

/** Queues every op on the device of its inputs at once, with activations in `precision` (float32 on the CPU). */
export function eagerIn(precision: Precision): OpContext {
  return {
    op: (name, inputs, attrs = {}) =>
      binding()
        .op(name, nativesOf(inputs), attrs, precision)
        .map((native) => new Tensor(native)),
  };
}

/** As `eagerIn('fp32')`. */
export const eager: OpContext = eagerIn('fp32');

/** Collects ops for fixed input shapes on one device into a plan. */
export class Recorder implements OpContext {
  readonly #native: NativeRecorder;

  constructor(device: Device = 'cpu', precision: Precision = 'fp32') {
    this.#native = new (binding().Recorder)(device, precision);
  }

  /** A `partial` input may hold fewer values than its shape says. */
  input(dtype: DType, shape: readonly number[], partial = false): Tensor {
    return new Tensor(this.#native.input(dtype, shape, partial));
  }

  op(name: string, inputs: readonly (Tensor | null | undefined)[], attrs: NativeAttrs = {}): Tensor[] {
    return this.#native.op(name, nativesOf(inputs), attrs).map((native) => new Tensor(native));
  }

  finish(outputs: readonly Tensor[]): NativePlan {
    checkList(outputs, 'tensors', 'outputs');
    return this.#native.finish(nativesOf(outputs) as NativeTensor[]);
  }
}

/** The one output of an op that has one. */
export function single(outputs: readonly Tensor[]): Tensor {
  if (outputs.length !== 1) {
    throw new NlrcnnError('ERR_NLRCNN_INTERNAL', `Expected 1 output but received ${outputs.length}`);
  }
  return outputs[0]!;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for an input that is neither a tensor nor absent. */
function nativesOf(tensors: readonly (Tensor | null | undefined)[]): (NativeTensor | null)[] {
  const natives: (NativeTensor | null)[] = [];
  for (const [i, tensor] of tensors.entries()) {
    if (tensor !== null && tensor !== undefined && !(tensor instanceof Tensor)) {
      throw invalidArgument('a Tensor', `input ${i}`, tensor);
    }
    natives.push(tensor?.native ?? null);
  }
  return natives;
}
