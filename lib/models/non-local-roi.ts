import type { OpContext } from '../device.js';
import type { ParameterSource, Weight } from '../layers/parameters.js';
import { addBroadcast } from '../ops/add_broadcast.js';
import { conv2d } from '../ops/conv2d.js';
import { linear } from '../ops/linear.js';
import { nonLocalRoi } from '../ops/non_local_roi.js';
import type { Tensor } from '../tensor.js';
import type { NonLocalRoiConfig } from './model-config.js';

/** Which rows of a batch of RoIs are whose. */
export interface RoiRows {
  /** int32 [S]: how many RoIs each image has, side by side; RoIs of different images never see each other. */
  segments: Tensor;
  /** int32 [1]: how many leading rows are valid; all where absent. */
  count?: Tensor | undefined;
}

/** What the layer behind the block reads: with fusion `concat`, `y` [K, D_g] stands for z's last channels. */
export interface Fused {
  x: Tensor;
  y?: Tensor;
}

/** What pairs of RoIs are compared by, for inspection. */
export interface Embeddings {
  /** phi(x) and psi(x), [K, D_f, H, W]; x itself for `gaussian`. */
  phi: Tensor;
  psi: Tensor;
  /** float32 [1, 2·D_f·H·W], of `concatenation` alone; on the device. */
  wF?: Tensor | undefined;
}

interface Pair {
  weight: Weight;
  bias: Weight;
}

/** The Non-local RoI block before one head; z itself is never built for `concat` (identities 2 and 3). */
export class NonLocalRoi {
  readonly #config: NonLocalRoiConfig;
  readonly #phi: Pair | undefined;
  readonly #psi: Pair | undefined;
  readonly #g1x1: Pair;
  readonly #g3x3: Pair;
  readonly #wF: Weight | undefined;
  readonly #wZ: Pair | undefined;

  /** Reads `NAME.{phi,psi,g_1x1,g_3x3,w_f,w_z}.*`; `channels` D. */
  constructor(parameters: ParameterSource, name: string, channels: number, config: NonLocalRoiConfig) {
    const pair = (part: string, shape?: readonly number[]) => ({
      weight: parameters.weight(`${name}.${part}.weight`, shape),
      bias: parameters.weight(`${name}.${part}.bias`),
    });
    const embedded = config.pairwise !== 'gaussian';
    this.#config = config;
    this.#phi = embedded ? pair('phi') : undefined;
    this.#psi = embedded ? pair('psi') : undefined;
    this.#g1x1 = pair('g_1x1');
    this.#g3x3 = pair('g_3x3');
    this.#wF = config.pairwise === 'concatenation' ? parameters.weight(`${name}.w_f.weight`) : undefined;
    // A 1×1 convolution of what is the same at each place is a product with its matrix.
    this.#wZ = config.fusion === 'add' ? pair('w_z', [channels, config.value_channels]) : undefined;
  }

  /** x [K, D, H, W] */
  embed(context: OpContext, x: Tensor, count?: Tensor): Embeddings {
    const conv = (pair: Pair | undefined) =>
      pair ? conv2d(context, x, pair.weight(context), { bias: pair.bias(context), count }) : x;
    return { phi: conv(this.#phi), psi: conv(this.#psi), wF: this.#wF?.(context) };
  }

  /** x [K, D, H, W] */
  forward(context: OpContext, x: Tensor, { segments, count }: RoiRows): Fused {
    const { pairwise, scale, num_heads } = this.#config;
    const at = ({ weight, bias }: Pair) => ({ weight: weight(context), bias: bias(context) });
    const weights = {
      phi: this.#phi && at(this.#phi),
      psi: this.#psi && at(this.#psi),
      g1x1: at(this.#g1x1),
      g3x3: at(this.#g3x3),
      wF: this.#wF?.(context),
    };
    const y = nonLocalRoi(context, x, weights, { pairwise, scale, numHeads: num_heads, segments });
    if (!this.#wZ) return { x, y };
    const { weight, bias } = at(this.#wZ);
    return { x: addBroadcast(context, x, linear(context, y, weight, { bias, count }), count) };
  }
}
