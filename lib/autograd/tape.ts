import type { NativeAttrs } from '../binding.js';
import { eager, type OpContext } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { add } from '../ops/add.js';
import type { Tensor } from '../tensor.js';
import { type GradientRule, gradientRule, type SavedCall } from './gradients.js';

interface Entry extends SavedCall {
  readonly rule: GradientRule;
}

/**
 * Takes op calls as any context does, runs them at once and remembers those that bear on watched tensors, so that
 * `backward` can go the same way back. Owns what its ops make: activations are freed as the tape unwinds, the rest by
 * `dispose`.
 */
export class Tape implements OpContext, Disposable {
  readonly #base: OpContext;
  readonly #entries: Entry[] = [];
  readonly #watched = new Set<Tensor>();
  /** Watched tensors and what was made from them. */
  readonly #tracked = new Set<Tensor>();
  readonly #made = new Set<Tensor>();

  constructor(base: OpContext = eager) {
    this.#base = base;
  }

  /** Asks for the gradient of a tensor, float32. */
  watch(...tensors: readonly Tensor[]): void {
    for (const tensor of tensors) {
      this.#watched.add(tensor);
      this.#tracked.add(tensor);
    }
  }

  /** @throws NlrcnnError ERR_NLRCNN_UNSUPPORTED for an op that has no gradient rule, where one is needed. */
  op(name: string, inputs: readonly (Tensor | null | undefined)[], attrs: NativeAttrs = {}): Tensor[] {
    const needs = inputs.map((input) => !!input && this.#tracked.has(input));
    const rule = needs.includes(true) ? gradientRule(name) : 'none';
    if (!rule) {
      throw new NlrcnnError('ERR_NLRCNN_UNSUPPORTED', `Expected an op with a gradient but received ${name}`);
    }
    const outputs = this.#base.op(name, inputs, attrs);
    for (const output of outputs) this.#made.add(output);
    if (rule !== 'none') {
      for (const output of outputs) this.#tracked.add(output);
      this.#entries.push({ rule, inputs: inputs.map((input) => input ?? null), outputs, attrs, needs });
    }
    return outputs;
  }

  /** A tensor that `dispose` leaves alone, nor `backward` frees. */
  keep(tensor: Tensor): Tensor {
    this.#made.delete(tensor);
    return tensor;
  }

  /** Makes a tensor one through which no gradient flows back. */
  stop(tensor: Tensor): void {
    this.#tracked.delete(tensor);
  }

  /**
   * Gradients of the sum of `losses` ([1] each) for every watched tensor that bears on it. They are the caller's; the
   * tape is empty afterwards.
   */
  backward(losses: readonly Tensor[], one: Tensor): Map<Tensor, Tensor> {
    const grads = new Map<Tensor, Tensor>(losses.map((loss) => [loss, one]));
    const free = (tensor: Tensor) => {
      if (this.#made.delete(tensor)) tensor.dispose();
    };
    for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
      const own = entry.outputs.map((output) => grads.get(output) ?? null);
      if (own.some((grad) => grad !== null)) {
        const found = entry.rule(this.#base, entry, own);
        entry.inputs.forEach((input, i) => {
          const grad = found[i];
          if (!grad) return;
          if (!input || !entry.needs[i]) grad.dispose();
          else this.#accumulate(grads, input, grad);
        });
      }
      for (const [i, output] of entry.outputs.entries()) {
        grads.delete(output);
        if (own[i] !== one) own[i]?.dispose();
        free(output);
      }
    }
    for (const tensor of [...grads.keys()]) if (!this.#watched.has(tensor)) grads.delete(tensor);
    this.dispose();
    return grads;
  }

  #accumulate(grads: Map<Tensor, Tensor>, input: Tensor, grad: Tensor): void {
    const before = grads.get(input);
    if (!before) {
      grads.set(input, grad);
      return;
    }
    grads.set(input, add(this.#base, before, grad));
    before.dispose();
    grad.dispose();
  }

  /** Frees everything that was made and not kept. */
  dispose(): void {
    for (const tensor of this.#made) tensor.dispose();
    this.#made.clear();
    this.#entries.length = 0;
    this.#tracked.clear();
    this.#watched.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
