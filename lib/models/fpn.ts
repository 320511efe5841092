import type { OpContext } from '../device.js';
import { Conv2d } from '../layers/conv.js';
import type { ParameterSource } from '../layers/parameters.js';
import { maxPool2d } from '../ops/max_pool2d.js';
import { upsampleAdd } from '../ops/upsample_add.js';
import type { Tensor } from '../tensor.js';

/** torchvision's FeaturePyramidNetwork with LastLevelMaxPool. */
export class FeaturePyramid {
  readonly #inner: Conv2d[];
  readonly #layer: Conv2d[];

  /** Reads `backbone.fpn.*` of four levels. */
  constructor(parameters: ParameterSource) {
    const levels = [0, 1, 2, 3];
    const name = (part: string, level: number) => `backbone.fpn.${part}_blocks.${level}.0`;
    this.#inner = levels.map((level) => Conv2d.load(parameters, name('inner', level)));
    this.#layer = levels.map((level) => Conv2d.load(parameters, name('layer', level), { padding: [1, 1] }));
  }

  /** c2 … c5 -> p2 … p6. */
  forward(context: OpContext, features: readonly Tensor[]): Tensor[] {
    const out: Tensor[] = [];
    let top: Tensor | undefined;
    for (let level = features.length - 1; level >= 0; level--) {
      const lateral = this.#inner[level]!.forward(context, features[level]!);
      top = top ? upsampleAdd(context, top, lateral) : lateral;
      out.unshift(this.#layer[level]!.forward(context, top));
    }
    out.push(maxPool2d(context, out.at(-1)!, { kernel: [1, 1], stride: [2, 2] }));
    return out;
  }
}
