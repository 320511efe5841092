import type { Device } from '../device.js';
import { BatchNormConv } from '../layers/batch-norm.js';
import { Conv2d, type Conv2dSettings } from '../layers/conv.js';
import {
  type ConvNorm,
  fixed,
  foldNorm,
  type HostParameter,
  missing,
  type ParameterSource,
  type SplitWeight,
  scaleRows as scaleRowsOnHost,
  type Weight,
} from '../layers/parameters.js';
import { scaleRows } from '../ops/scale_rows.js';
import { splitChannels } from '../ops/split_channels.js';
import { sumPlaces } from '../ops/sum_places.js';
import type { NamedTensor } from '../optim/optimizers.js';
import { type LazyState, lazily } from '../optim/state.js';
import { Tensor } from '../tensor.js';

interface Entry {
  shape: readonly number[];
  value: Tensor | Float32Array;
}

export interface TrainableOptions {
  /** `frozen`: batch norms keep their statistics, gamma and beta; `batch`: they normalise by those of the batch and learn. */
  norm: 'frozen' | 'batch';
  /** Whether an optimiser may change a parameter. */
  trainable: (name: string) => boolean;
}

const NORM_PARTS = ['weight', 'bias', 'running_mean', 'running_var'] as const;

/**
 * A state dict in training: float32 tensors of PyTorch's names and layouts on the device, from which layers make what
 * they need by ops at each forward, so that gradients find their way back; `state` reads them at any time.
 */
export class TrainableParameters implements ParameterSource, Disposable {
  readonly #state: Map<string, HostParameter>;
  readonly #device: Device;
  readonly #options: TrainableOptions;
  readonly #entries = new Map<string, Entry>();
  /** Made from parameters that stay as they are. */
  readonly #constants: Tensor[] = [];
  readonly trainable: NamedTensor[] = [];

  /** Empties `state` while layers are made. */
  constructor(state: Map<string, HostParameter>, device: Device, options: TrainableOptions) {
    this.#state = state;
    this.#device = device;
    this.#options = options;
  }

  has(name: string): boolean {
    return this.#state.has(name);
  }

  weight(name: string, shape?: readonly number[]): Weight {
    return fixed(this.#place(name, shape));
  }

  convNorm(conv: string, norm: string, eps: number, settings: Conv2dSettings): ConvNorm {
    const name = `${conv}.weight`;
    if (this.#options.norm === 'batch') {
      const [gamma, beta, mean, variance] = NORM_PARTS.map((part) => this.#place(`${norm}.${part}`)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      return new BatchNormConv(this.#place(name), { gamma, beta, mean, variance }, eps, settings);
    }
    const { scale, bias } = foldNorm((part) => this.#keep(`${norm}.${part}`).data, eps);
    const fixedBias = fixed(this.#constant(bias, [bias.length]));
    if (!this.#options.trainable(name)) {
      const { data, shape } = this.#keep(name);
      return new Conv2d(fixed(this.#constant(scaleRowsOnHost(data, scale), shape)), fixedBias, settings);
    }
    const weight = this.#place(name);
    const factors = this.#constant(Float32Array.from(scale), [scale.length]);
    return new Conv2d((context) => scaleRows(context, weight, factors), fixedBias, settings);
  }

  splitConv(name: string, channels: number): SplitWeight {
    const weight = this.#place(name);
    return (context) => splitChannels(context, weight, channels);
  }

  splitLinear(name: string, channels: number, places: number): SplitWeight {
    const weight = this.#place(name);
    return (context) => {
      const { x, y } = splitChannels(context, weight, channels * places);
      return { x, y: sumPlaces(context, y, places) };
    };
  }

  /** The state dict; what is read of it is as every op queued before leaves it. */
  get state(): LazyState {
    const lazy = ({ shape, value }: Entry) =>
      value instanceof Tensor ? lazily(value, shape) : { shape, data: async () => value.slice() };
    return new Map([...this.#entries].map(([name, entry]) => [name, lazy(entry)]));
  }

  dispose(): void {
    for (const { value } of this.#entries.values()) if (value instanceof Tensor) value.dispose();
    for (const tensor of this.#constants) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #take(name: string): HostParameter {
    const found = this.#state.get(name);
    if (!found) throw missing(name);
    this.#state.delete(name);
    return found;
  }

  /** On the device: the optimiser's where it may change it. */
  #place(name: string, as?: readonly number[]): Tensor {
    const { data, shape } = this.#take(name);
    const tensor = Tensor.from(data, as ?? shape, this.#device);
    this.#entries.set(name, { shape, value: tensor });
    if (this.#options.trainable(name)) this.trainable.push({ name, tensor });
    return tensor;
  }

  /** In host memory, as it never changes. */
  #keep(name: string): HostParameter {
    const found = this.#take(name);
    this.#entries.set(name, { shape: found.shape, value: found.data });
    return found;
  }

  #constant(data: Float32Array, shape: readonly number[]): Tensor {
    const tensor = Tensor.from(data, shape, this.#device);
    this.#constants.push(tensor);
    return tensor;
  }
}
