import { type Device, eager } from '../device.js';
import { NlrcnnError } from '../errors.js';
import type { HostParameter } from '../layers/parameters.js';
import type { LossScaleState } from '../ops/grad_norm.js';
import { scale } from '../ops/scale.js';
import { Tensor } from '../tensor.js';

export interface LossScaleOptions {
  /** Default: 65536 */
  initial?: number;
  growthFactor?: number;
  backoffFactor?: number;
  /** Steps without overflow after which it grows. */
  growthInterval?: number;
}

const NAMES = { scale: 'loss_scale', goodSteps: 'loss_scale_good_steps' } as const;

/**
 * The dynamic loss scale of torch.amp.GradScaler, on the device: losses are multiplied by it so that small gradients do
 * not vanish in float16; the optimiser divides it out, leaves steps with overflow out and adapts it.
 */
export class LossScale implements Disposable {
  readonly #options: LossScaleOptions;
  readonly #device: Device;
  #scale: Tensor;
  #goodSteps: Tensor;

  constructor(device: Device = 'cpu', options: LossScaleOptions = {}) {
    this.#options = options;
    this.#device = device;
    this.#scale = Tensor.from(Float32Array.of(options.initial ?? 65536), [1], device);
    this.#goodSteps = Tensor.from(new Int32Array(1), [1], device);
  }

  /** What `Tape.backward` takes, float32 [1]: the loss scale times `factor`. The caller's. */
  upstream(factor = 1): Tensor {
    return scale(eager, this.#scale, undefined, factor);
  }

  get state(): LossScaleState {
    const { growthFactor = 2, backoffFactor = 0.5, growthInterval = 2000 } = this.#options;
    return {
      scale: this.#scale,
      goodSteps: this.#goodSteps,
      growthFactor,
      backoffFactor,
      growthInterval,
    };
  }

  /** By name, for an optimiser's state. */
  get stateTensors(): [string, Tensor][] {
    return [
      [NAMES.scale, this.#scale],
      [NAMES.goodSteps, this.#goodSteps],
    ];
  }

  /** @throws NlrcnnError ERR_NLRCNN_WEIGHTS where `state` lacks it. */
  load(state: ReadonlyMap<string, HostParameter>): void {
    const [value, good] = [state.get(NAMES.scale)?.data[0], state.get(NAMES.goodSteps)?.data[0]];
    if (value === undefined || good === undefined) {
      throw new NlrcnnError(
        'ERR_NLRCNN_WEIGHTS',
        `Expected optimiser state ${NAMES.scale} and ${NAMES.goodSteps} but received none`,
      );
    }
    this.dispose();
    this.#scale = Tensor.from(Float32Array.of(value), [1], this.#device);
    this.#goodSteps = Tensor.from(Int32Array.of(good), [1], this.#device);
  }

  dispose(): void {
    this.#scale.dispose();
    this.#goodSteps.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
