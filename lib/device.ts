import { binding, type DType, type NativeAttrs, type NativePlan, type NativeRecorder } from './binding.js';
import { invalidArgument, NlrcnnError } from './errors.js';
import { Tensor } from './tensor.js';

/** Where a network runs. */
export type Device = 'cpu';
/** What `loadModel` takes; `auto` is the fastest device that this build and this machine have. */
export type DeviceOption = 'auto' | 'cpu' | 'cuda' | `cuda:${number}`;
export type Precision = 'fp32';
export type PrecisionOption = 'fp32' | 'bf16' | 'fp16' | 'tf32';

const PRECISIONS = ['fp32', 'bf16', 'fp16', 'tf32'];

/** @throws NlrcnnError ERR_NLRCNN_DEVICE for CUDA devices, ERR_NLRCNN_ARGUMENT for anything unknown. */
export function resolveDevice(device: DeviceOption = 'auto'): Device {
  if (device === 'auto' || device === 'cpu') return 'cpu';
  if (typeof device === 'string' && /^cuda(:\d+)?$/.test(device)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DEVICE',
      `Expected device cpu but received ${device}: this build has no CUDA backend; use --device cpu`,
    );
  }
  throw invalidArgument('auto, cpu, cuda or cuda:N', 'device', device);
}

/** @throws NlrcnnError ERR_NLRCNN_UNSUPPORTED for a precision that the device does not have. */
export function resolvePrecision(device: Device, precision: PrecisionOption = 'fp32'): Precision {
  if (!PRECISIONS.includes(precision)) {
    throw invalidArgument(`one of ${PRECISIONS.join(', ')}`, 'precision', precision);
  }
  if (precision === 'fp32') return precision;
  throw new NlrcnnError(
    'ERR_NLRCNN_UNSUPPORTED',
    `Expected precision fp32 on device ${device} but received ${precision}`,
  );
}

/** Takes op calls: runs them at once, or records them. */
export interface OpContext {
  op(name: string, inputs: readonly (Tensor | null | undefined)[], attrs?: NativeAttrs): Tensor[];
}

/** Queues every op on the device at once. */
export const eager: OpContext = {
  op: (name, inputs, attrs = {}) =>
    binding()
      .op(name, inputs.map(nativeOf), attrs)
      .map((native) => new Tensor(native)),
};

/** Collects ops for fixed input shapes into a plan. */
export class Recorder implements OpContext {
  readonly #native: NativeRecorder = new (binding().Recorder)();

  input(dtype: DType, shape: readonly number[]): Tensor {
    return new Tensor(this.#native.input(dtype, shape));
  }

  op(name: string, inputs: readonly (Tensor | null | undefined)[], attrs: NativeAttrs = {}): Tensor[] {
    return this.#native.op(name, inputs.map(nativeOf), attrs).map((native) => new Tensor(native));
  }

  finish(outputs: readonly Tensor[]): NativePlan {
    return this.#native.finish(outputs.map((tensor) => tensor.native));
  }
}

/** The one output of an op that has one. */
export function single(outputs: readonly Tensor[]): Tensor {
  if (outputs.length !== 1) {
    throw new NlrcnnError('ERR_NLRCNN_INTERNAL', `Expected 1 output but received ${outputs.length}`);
  }
  return outputs[0]!;
}

function nativeOf(tensor: Tensor | null | undefined) {
  return tensor?.native ?? null;
}
