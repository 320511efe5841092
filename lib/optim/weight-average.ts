import { eager } from '../device.js';
import { NlrcnnError } from '../errors.js';
import type { HostParameter } from '../layers/parameters.js';
import { axpby } from '../ops/axpby.js';
import { scale } from '../ops/scale.js';
import { Tensor } from '../tensor.js';
import type { NamedTensor } from './optimizers.js';
import { type LazyState, lazily, readState } from './state.js';

const UPDATES = 'num_updates';

/**
 * An exponential moving average of weights, on their device. The n-th update (from 1) has decay
 * min(decay, n / (9 + n)), as TensorFlow's ExponentialMovingAverage with num_updates, so that what training began with is
 * soon forgotten.
 */
export class WeightAverage implements Disposable {
  readonly #weights: readonly NamedTensor[];
  readonly #averages: Tensor[];
  readonly #decay: number;
  #updates = 0;

  /** Starts as a copy of `weights`; `decay` is a number from 0 to 1. */
  constructor(weights: readonly NamedTensor[], decay: number) {
    this.#weights = weights;
    this.#decay = decay;
    this.#averages = weights.map(({ tensor }) => scale(eager, tensor));
  }

  /** After each step; on the device, once the step is done. */
  update(): void {
    this.#updates++;
    if (this.#weights.length === 0) return;
    const decay = Math.min(this.#decay, this.#updates / (9 + this.#updates));
    const weights = this.#weights.map(({ tensor }) => tensor);
    axpby(eager, 1 - decay, weights, decay, this.#averages).dispose();
  }

  /** By the names of the weights; `num_updates` [1] beside them. */
  get lazyState(): LazyState {
    const updates = Float32Array.of(this.#updates);
    return new Map([
      ...this.#weights.map(({ name }, i) => [name, lazily(this.#averages[i]!)] as const),
      [UPDATES, { shape: [1], data: async () => updates }],
    ]);
  }

  /** `lazyState`, read. */
  async state(): Promise<Map<string, HostParameter>> {
    return readState(this.lazyState);
  }

  /**
   * Takes over what `state` gave.
   * @throws NlrcnnError ERR_NLRCNN_WEIGHTS where it lacks a tensor or one has another shape; then nothing has changed.
   */
  load(state: ReadonlyMap<string, HostParameter>): void {
    const updates = state.get(UPDATES);
    const found = this.#weights.map(({ name, tensor }) => {
      const own = state.get(name);
      if (own?.shape.join() === tensor.shape.join()) return { own, device: tensor.device! };
      throw new NlrcnnError(
        'ERR_NLRCNN_WEIGHTS',
        `Expected an average of ${name} of shape [${tensor.shape.join(', ')}] but received ${own ? `[${own.shape.join(', ')}]` : 'none'}`,
      );
    });
    if (!updates) throw new NlrcnnError('ERR_NLRCNN_WEIGHTS', `Expected ${UPDATES} but received none`);
    this.dispose();
    for (const { own, device } of found) this.#averages.push(Tensor.from(own.data, own.shape, device));
    this.#updates = updates.data[0]!;
  }

  dispose(): void {
    for (const tensor of this.#averages) tensor.dispose();
    this.#averages.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
