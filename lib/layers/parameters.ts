import type { Device, OpContext } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { Tensor } from '../tensor.js';
import { Conv2d, type Conv2dCall, type Conv2dSettings } from './conv.js';

/** A tensor of a state dict, row-major. */
export interface HostParameter {
  shape: readonly number[];
  data: Float32Array;
}

/** A weight as a layer hands it to an op: as it lies on the device, or made from parameters by ops of `context`. */
export type Weight = (context: OpContext) => Tensor;

export const fixed =
  (tensor: Tensor): Weight =>
  () =>
    tensor;

/** A convolution and the batch norm behind it; a residual is added, and ReLU taken, after both. */
export interface ConvNorm {
  forward(context: OpContext, x: Tensor, call?: Pick<Conv2dCall, 'residual'>): Tensor;
}

/** Weights of a layer that reads x and y side by side, as two. */
export type SplitWeight = (context: OpContext) => { x: Tensor; y: Tensor };

/** A state dict as layers read it. Names that it lacks are ERR_NLRCNN_WEIGHTS. */
export interface ParameterSource {
  has(name: string): boolean;
  /** `shape`: another one of the same values. */
  weight(name: string, shape?: readonly number[]): Weight;
  /** Convolution `conv` without bias, then batch norm `norm`. */
  convNorm(conv: string, norm: string, eps: number, settings: Conv2dSettings): ConvNorm;
  /** A 3×3 convolution's [O, D + D_g, 3, 3] -> [O, D, 3, 3] and [O, D_g, 3, 3]. */
  splitConv(name: string, channels: number): SplitWeight;
  /**
   * A fully connected layer's [O, (D + D_g) · places] -> [O, D · places] and, where y is the same at each place, its
   * sums over them [O, D_g].
   */
  splitLinear(name: string, channels: number, places: number): SplitWeight;
}

/**
 * A state dict on its way to the device for inference, folded and split once: `take` hands each tensor out once and
 * forgets it, so that host memory falls as layers are made; the tensors of `upload` live until `dispose`.
 */
export class Parameters implements ParameterSource {
  readonly #state: Map<string, HostParameter>;
  readonly #tensors: Tensor[] = [];

  /** Empties `state` while layers are made. */
  constructor(
    state: Map<string, HostParameter>,
    readonly device: Device = 'cpu',
  ) {
    this.#state = state;
  }

  has(name: string): boolean {
    return this.#state.has(name);
  }

  /** @throws NlrcnnError ERR_NLRCNN_WEIGHTS where the weights lack it. */
  take(name: string): HostParameter {
    const found = this.#state.get(name);
    if (!found) throw missing(name);
    this.#state.delete(name);
    return found;
  }

  weight(name: string, shape?: readonly number[]): Weight {
    const { data, shape: own } = this.take(name);
    return fixed(this.upload(data, shape ?? own));
  }

  convNorm(conv: string, norm: string, eps: number, settings: Conv2dSettings): Conv2d {
    const weight = this.take(`${conv}.weight`);
    const { scale, bias } = foldNorm((part) => this.take(`${norm}.${part}`).data, eps);
    const folded = scaleRows(weight.data, scale);
    const tensors = [this.upload(folded, weight.shape), this.upload(bias, [bias.length])] as const;
    return new Conv2d(fixed(tensors[0]), fixed(tensors[1]), settings);
  }

  splitConv(name: string, channels: number): SplitWeight {
    const { data, shape } = this.take(name);
    const [outputs, inputs, ...kernel] = shape as [number, number, number, number];
    const { x, y } = splitChannels(data, outputs, channels, kernel[0] * kernel[1]);
    const split = {
      x: this.upload(x, [outputs, channels, ...kernel]),
      y: this.upload(y, [outputs, inputs - channels, ...kernel]),
    };
    return () => split;
  }

  splitLinear(name: string, channels: number, places: number): SplitWeight {
    const { data, shape } = this.take(name);
    const outputs = shape[0]!;
    const { x, y } = splitChannels(data, outputs, channels, places);
    const sums = sumPlaces(y, places);
    const split = {
      x: this.upload(x, [outputs, x.length / outputs]),
      y: this.upload(sums, [outputs, sums.length / outputs]),
    };
    return () => split;
  }

  upload(data: Float32Array, shape: readonly number[]): Tensor {
    const tensor = Tensor.from(data, shape, this.device);
    this.#tensors.push(tensor);
    return tensor;
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
    this.#tensors.length = 0;
  }
}

export function missing(name: string): NlrcnnError {
  return new NlrcnnError('ERR_NLRCNN_WEIGHTS', `Expected a tensor named ${name} but the weights have none`);
}

/** Batch norm with its running statistics: x · scale + bias, scale gamma / sqrt(var + eps), bias beta - mean · scale. */
export function foldNorm(
  read: (part: 'weight' | 'bias' | 'running_mean' | 'running_var') => Float32Array,
  eps: number,
): { scale: Float64Array; bias: Float32Array } {
  const [gamma, beta] = [read('weight'), read('bias')];
  const [mean, variance] = [read('running_mean'), read('running_var')];
  const scale = Float64Array.from(gamma, (value, o) => value / Math.sqrt(variance[o]! + eps));
  return { scale, bias: Float32Array.from(beta, (value, o) => value - mean[o]! * scale[o]!) };
}

/** Each of the rows of `data` times its scale. */
export function scaleRows(data: Float32Array, scale: Float64Array): Float32Array {
  const each = data.length / scale.length;
  const out = new Float32Array(data.length);
  for (const [o, factor] of scale.entries()) {
    for (let i = o * each; i < (o + 1) * each; i++) out[i] = data[i]! * factor;
  }
  return out;
}

/**
 * Weights of a layer behind a concat, [O, D + D_g, ...], as two: of x [O, D, ...] and of y [O, D_g, ...]. `places` is
 * how many values each channel has.
 */
export function splitChannels(
  data: Float32Array,
  outputs: number,
  channels: number,
  places: number,
): { x: Float32Array; y: Float32Array } {
  const row = data.length / outputs;
  const left = channels * places;
  const x = new Float32Array(outputs * left);
  const y = new Float32Array(outputs * (row - left));
  for (let o = 0; o < outputs; o++) {
    x.set(data.subarray(o * row, o * row + left), o * left);
    y.set(data.subarray(o * row + left, (o + 1) * row), o * (row - left));
  }
  return { x, y };
}

/** [..., places] -> [...], summed in double. */
function sumPlaces(data: Float32Array, places: number): Float32Array {
  const out = new Float32Array(data.length / places);
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (let p = 0; p < places; p++) sum += data[i * places + p]!;
    out[i] = sum;
  }
  return out;
}
