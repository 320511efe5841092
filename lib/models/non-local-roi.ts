import type { OpContext } from '../device.js';
import type { Parameters } from '../layers/parameters.js';
import { addBroadcast } from '../ops/add_broadcast.js';
import { linear } from '../ops/linear.js';
import { type NonLocalRoiWeights, nonLocalRoi } from '../ops/non_local_roi.js';
import type { Tensor } from '../tensor.js';
import type { NonLocalRoiConfig } from './model-config.js';

/** What the layer behind the block reads: with fusion `concat`, `y` [K, D_g] stands for z's last channels. */
export interface Fused {
  x: Tensor;
  y?: Tensor;
}

/** The Non-local RoI block before one head; z itself is never built for `concat` (identities 2 and 3). */
export class NonLocalRoi {
  readonly #weights: NonLocalRoiWeights;
  readonly #config: NonLocalRoiConfig;
  readonly #wZ: { weight: Tensor; bias: Tensor } | undefined;

  /** Reads `NAME.{phi,psi,g_1x1,g_3x3,w_f,w_z}.*`. */
  constructor(parameters: Parameters, name: string, config: NonLocalRoiConfig) {
    const pair = (part: string) => ({
      weight: parameters.place(`${name}.${part}.weight`),
      bias: parameters.place(`${name}.${part}.bias`),
    });
    const embedded = config.pairwise !== 'gaussian';
    this.#config = config;
    this.#weights = {
      phi: embedded ? pair('phi') : undefined,
      psi: embedded ? pair('psi') : undefined,
      g1x1: pair('g_1x1'),
      g3x3: pair('g_3x3'),
      wF: config.pairwise === 'concatenation' ? parameters.place(`${name}.w_f.weight`) : undefined,
    };
    if (config.fusion === 'add') {
      const { data, shape } = parameters.take(`${name}.w_z.weight`);
      this.#wZ = {
        weight: parameters.upload(data, shape.slice(0, 2)),
        bias: parameters.place(`${name}.w_z.bias`),
      };
    }
  }

  /** x [K, D, H, W], of which the first `count` are RoIs of one picture. */
  forward(context: OpContext, x: Tensor, count: Tensor): Fused {
    const { pairwise, scale, num_heads } = this.#config;
    const y = nonLocalRoi(context, x, this.#weights, {
      pairwise,
      scale,
      numHeads: num_heads,
      segments: count,
    });
    if (!this.#wZ) return { x, y };
    const { weight, bias } = this.#wZ;
    return { x: addBroadcast(context, x, linear(context, y, weight, { bias, count }), count) };
  }
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
