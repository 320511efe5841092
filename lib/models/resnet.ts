import type { OpContext } from '../device.js';
import type { ConvNorm, ParameterSource } from '../layers/parameters.js';
import type { Pair } from '../ops/conv2d.js';
import { maxPool2d } from '../ops/max_pool2d.js';
import type { Tensor } from '../tensor.js';

/** Blocks of each stage, and whether they are bottlenecks. */
export const BODIES: Record<string, { depths: readonly number[]; bottleneck: boolean }> = {
  resnet18: { depths: [2, 2, 2, 2], bottleneck: false },
  resnet34: { depths: [3, 4, 6, 3], bottleneck: false },
  resnet50: { depths: [3, 4, 6, 3], bottleneck: true },
  resnet101: { depths: [3, 4, 23, 3], bottleneck: true },
  resnet152: { depths: [3, 8, 36, 3], bottleneck: true },
};

interface Block {
  branch: ConvNorm[];
  last: ConvNorm;
  shortcut: ConvNorm | undefined;
}

/** torchvision's ResNet (v1.5: the 3×3 convolution has the stride), without its classifier. */
export class ResNet {
  readonly #stem: ConvNorm;
  readonly #stages: Block[][];

  /** Reads `backbone.body.*`; `name` is resnet18, 34, 50, 101 or 152. */
  constructor(parameters: ParameterSource, name: string, eps: number) {
    const { depths, bottleneck } = BODIES[name]!;
    const load = (prefix: string, part: string, kernel: number, stride: number, relu: boolean) => {
      const pad = (kernel - 1) / 2;
      const settings = { stride: both(stride), padding: both(pad), relu };
      return parameters.convNorm(`${prefix}.conv${part}`, `${prefix}.bn${part}`, eps, settings);
    };
    this.#stem = load('backbone.body', '1', 7, 2, true);
    this.#stages = depths.map((depth, stage) =>
      Array.from({ length: depth }, (_, index) => {
        const prefix = `backbone.body.layer${stage + 1}.${index}`;
        const stride = stage > 0 && index === 0 ? 2 : 1;
        const down = `${prefix}.downsample`;
        const shortcut = parameters.has(`${down}.0.weight`)
          ? parameters.convNorm(`${down}.0`, `${down}.1`, eps, { stride: both(stride) })
          : undefined;
        // The last convolution takes the shortcut as residual, so its ReLU comes after the sum.
        return bottleneck
          ? {
              branch: [load(prefix, '1', 1, 1, true), load(prefix, '2', 3, stride, true)],
              last: load(prefix, '3', 1, 1, true),
              shortcut,
            }
          : {
              branch: [load(prefix, '1', 3, stride, true)],
              last: load(prefix, '2', 3, 1, true),
              shortcut,
            };
      }),
    );
  }

  /** image [N, 3, H, W] -> c2 … c5, strides 4 to 32. */
  forward(context: OpContext, image: Tensor): Tensor[] {
    let x = this.#stem.forward(context, image);
    x = maxPool2d(context, x, { kernel: [3, 3], stride: [2, 2], padding: [1, 1] });
    return this.#stages.map((blocks) => {
      for (const { branch, last, shortcut } of blocks) {
        const residual = shortcut ? shortcut.forward(context, x) : x;
        for (const conv of branch) x = conv.forward(context, x);
        x = last.forward(context, x, { residual });
      }
      return x;
    });
  }
}

function both(value: number): Pair {
  return [value, value];
}
