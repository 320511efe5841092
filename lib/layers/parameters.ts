import type { Device } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { Tensor } from '../tensor.js';

/** A tensor of a state dict, row-major. */
export interface HostParameter {
  shape: readonly number[];
  data: Float32Array;
}

/**
 * A state dict on its way to the device: `take` hands each tensor out once and forgets it, so that host memory
 * falls as layers are made; the tensors of `upload` live until `dispose`.
 */
export class Parameters {
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
    if (!found) {
      throw new NlrcnnError(
        'ERR_NLRCNN_WEIGHTS',
        `Expected a tensor named ${name} but the weights have none`,
      );
    }
    this.#state.delete(name);
    return found;
  }

  /** As `take`, on the device. */
  place(name: string, shape?: readonly number[]): Tensor {
    const { data, shape: own } = this.take(name);
    return this.upload(data, shape ?? own);
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
