import { eager } from '../device.js';
import { NlrcnnError } from '../errors.js';
import type { HostParameter } from '../layers/parameters.js';
import { type AdamWOptions as AdamWStep, adamw } from '../ops/adamw.js';
import { gradNorm } from '../ops/grad_norm.js';
import { sgd } from '../ops/sgd.js';
import { Tensor } from '../tensor.js';
import type { LossScale } from './loss-scale.js';
import { type LazyState, lazily, readState } from './state.js';

/** What an optimiser changes in place: float32, on the network's device, under PyTorch's name. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: Tensor;
}

export interface OptimizerOptions {
  weightDecay?: number;
  /** Weight decay on tensors of two and more dimensions alone, which are neither of norms nor biases. Default: false */
  noDecayOnNormsAndBiases?: boolean;
  /** Greatest norm of all gradients together, as torch.nn.utils.clip_grad_norm_'s. */
  maxNorm?: number | null | undefined;
  /** Of losses that were multiplied by it (float16). */
  lossScale?: LossScale | undefined;
}

/** What a step did. */
export interface StepResult {
  /** Norm of all gradients together, before clipping and without the loss scale. */
  norm: number;
  /** False where a gradient was not finite: then nothing was changed but the loss scale. */
  applied: boolean;
}

type GroupName = 'decay' | 'no_decay';

/** Parameters that have a gradient and one weight decay. */
interface Group {
  name: GroupName;
  parameters: NamedTensor[];
  gradients: Tensor[];
  weightDecay: number;
}

type StepSettings = { lr: number; control: Tensor };

/** Steps on all parameters at once, in place on their device; state lies beside them. */
export abstract class Optimizer implements Disposable {
  readonly #parameters: readonly NamedTensor[];
  readonly #options: OptimizerOptions;
  readonly #state = new Map<string, Tensor>();

  /** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for a name that comes twice. */
  constructor(parameters: readonly NamedTensor[], options: OptimizerOptions) {
    if (new Set(parameters.map(({ name }) => name)).size < parameters.length) {
      throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', 'Expected parameters of different names');
    }
    this.#parameters = parameters;
    this.#options = options;
  }

  /** Tensors of the state by name, which the steps go on writing. */
  get stateTensors(): ReadonlyMap<string, Tensor> {
    const { lossScale } = this.#options;
    return new Map([...this.#state, ...(lossScale?.stateTensors ?? [])]);
  }

  /**
   * One step with the mean of `gradients` over whatever they were summed over; a parameter without one stays as it is,
   * and so does its state. Resolves once it is done.
   */
  async step(gradients: ReadonlyMap<Tensor, Tensor>, lr: number): Promise<StepResult> {
    const groups = this.#groups(gradients);
    if (groups.length === 0) return { norm: 0, applied: true };
    const { maxNorm, lossScale } = this.#options;
    using control = gradNorm(
      eager,
      groups.flatMap((group) => group.gradients),
      { maxNorm: maxNorm ?? 0, lossScale: lossScale?.state },
    );
    const done = groups.map((group) => this.update(group, { lr, control }));
    try {
      const [values] = await Promise.all([control.read(), ...done.map((flag) => flag.read())]);
      return { norm: Number(values.data[0]), applied: values.data[2] === 1 };
    } finally {
      for (const flag of done) flag.dispose();
    }
  }

  /** What the next step depends on beside parameters and gradients; what is read of it is as the steps before leave it. */
  get lazyState(): LazyState {
    return new Map([...this.stateTensors].map(([name, tensor]) => [name, lazily(tensor)]));
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
    const made = [...this.#state].map(([name, before]) => {
      const found = state.get(name);
      if (!found || found.shape.join() !== before.shape.join()) {
        const received = found ? `[${found.shape.join(', ')}]` : 'none';
        throw new NlrcnnError(
          'ERR_NLRCNN_WEIGHTS',
          `Expected optimiser state ${name} of shape [${before.shape.join(', ')}] but received ${received}`,
        );
      }
      const data = before.dtype === 'int32' ? Int32Array.from(found.data) : found.data;
      return [name, Tensor.from(data, before.shape, before.device!)] as const;
    });
    this.#options.lossScale?.load(state);
    for (const [name, tensor] of made) {
      this.#state.get(name)!.dispose();
      this.#state.set(name, tensor);
    }
  }

  dispose(): void {
    for (const tensor of this.#state.values()) tensor.dispose();
    this.#state.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A native step; gives what says that it was done. */
  protected abstract update(group: Group, settings: StepSettings): Tensor;

  protected addState(name: string, tensor: Tensor): void {
    this.#state.set(name, tensor);
  }

  /** `PREFIX.NAME`, float32 zeros of the parameter's shape. */
  protected addBuffers(prefix: string): void {
    for (const { name, tensor } of this.#parameters) this.addState(`${prefix}.${name}`, zeros(tensor));
  }

  protected stateOf(name: string): Tensor {
    return this.#state.get(name)!;
  }

  protected buffers(prefix: string, parameters: readonly NamedTensor[]): Tensor[] {
    return parameters.map(({ name }) => this.stateOf(`${prefix}.${name}`));
  }

  #groups(gradients: ReadonlyMap<Tensor, Tensor>): Group[] {
    const { weightDecay = 0, noDecayOnNormsAndBiases = false } = this.#options;
    const groups = new Map<GroupName, Group>();
    for (const parameter of this.#parameters) {
      const gradient = gradients.get(parameter.tensor);
      if (!gradient) continue;
      const name = noDecayOnNormsAndBiases && parameter.tensor.shape.length < 2 ? 'no_decay' : 'decay';
      const decay = name === 'decay' ? weightDecay : 0;
      const group = groups.get(name) ?? { name, parameters: [], gradients: [], weightDecay: decay };
      group.parameters.push(parameter);
      group.gradients.push(gradient);
      groups.set(name, group);
    }
    return [...groups.values()];
  }
}

export interface SgdOptions extends OptimizerOptions {
  momentum?: number;
  nesterov?: boolean;
}

/** torch.optim.SGD. State: `momentum_buffer.NAME` where momentum is above 0. */
export class SGD extends Optimizer {
  readonly #momentum: number;
  readonly #nesterov: boolean;

  constructor(parameters: readonly NamedTensor[], options: SgdOptions = {}) {
    super(parameters, options);
    this.#momentum = options.momentum ?? 0;
    this.#nesterov = options.nesterov ?? false;
    if (this.#momentum > 0) this.addBuffers('momentum_buffer');
  }

  protected override update({ parameters, gradients, weightDecay }: Group, settings: StepSettings): Tensor {
    const tensors = {
      parameters: parameters.map(({ tensor }) => tensor),
      gradients,
      momentumBuffers: this.#momentum > 0 ? this.buffers('momentum_buffer', parameters) : [],
    };
    const own = { weightDecay, momentum: this.#momentum, nesterov: this.#nesterov };
    return sgd(eager, tensors, { ...settings, ...own });
  }
}

export interface AdamWOptions extends OptimizerOptions, Pick<AdamWStep, 'betas' | 'eps'> {}

/**
 * torch.optim.AdamW (its default weight decay, 0.01, where none is given). State: `exp_avg.NAME`, `exp_avg_sq.NAME`,
 * and the steps taken of parameters with and without weight decay, `step.decay` and `step.no_decay`.
 */
export class AdamW extends Optimizer {
  readonly #settings: Pick<AdamWStep, 'betas' | 'eps'>;

  constructor(parameters: readonly NamedTensor[], options: AdamWOptions = {}) {
    super(parameters, { ...options, weightDecay: options.weightDecay ?? 0.01 });
    const { betas = [0.9, 0.999], eps = 1e-8 } = options;
    this.#settings = { betas, eps };
    this.addBuffers('exp_avg');
    this.addBuffers('exp_avg_sq');
    const device = parameters[0]?.tensor.device ?? 'cpu';
    for (const group of ['decay', 'no_decay']) {
      this.addState(`step.${group}`, Tensor.from(new Int32Array(1), [1], device));
    }
  }

  protected override update(
    { name, parameters, gradients, weightDecay }: Group,
    settings: StepSettings,
  ): Tensor {
    const tensors = {
      parameters: parameters.map(({ tensor }) => tensor),
      gradients,
      expAvg: this.buffers('exp_avg', parameters),
      expAvgSq: this.buffers('exp_avg_sq', parameters),
      step: this.stateOf(`step.${name}`),
    };
    return adamw(eager, tensors, { ...settings, ...this.#settings, weightDecay });
  }
}

function zeros({ shape, device }: Tensor): Tensor {
  return Tensor.from(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape, device!);
}
