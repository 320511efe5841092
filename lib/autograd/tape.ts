import type { NativeAttrs } from '../binding.js';
import { eager, type OpContext } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { add } from '../ops/add.js';
import { Tensor } from '../tensor.js';
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

  /** Takes over a tensor made elsewhere: `dispose` frees it. */
  own(tensor: Tensor): Tensor {
    this.#made.add(tensor);
    return tensor;
  }

  /** Makes a tensor one through which no gradient flows back. */
  stop(tensor: Tensor): void {
    this.#tracked.delete(tensor);
  }

  /**
   * Gradients of the sum of `losses` ([1] each) for every watched tensor that bears on it; `upstream` is what each loss
   * counts, of all or one by one. They are the caller's, and those of two tensors can be one; the tape is empty
   * afterwards.
   */
  backward(losses: readonly Tensor[], upstream: Tensor | readonly Tensor[]): Map<Tensor, Tensor> {
    const grads = new Gradients();
    for (const [i, loss] of losses.entries()) {
      const own = upstream instanceof Tensor ? upstream : upstream[i]!;
      grads.hold(own);
      grads.set(loss, own);
    }
    for (let entry = this.#entries.pop(); entry; entry = this.#entries.pop()) {
      const own = entry.outputs.map((output) => grads.get(output));
      if (own.some((grad) => grad !== null)) {
        const found = entry.rule(this.#base, entry, own);
        for (const grad of found) if (grad) grads.hold(grad);
        for (const [i, input] of entry.inputs.entries()) {
          const grad = found[i];
          const before = input && entry.needs[i] && grad && grads.get(input);
          if (before) grads.set(input, add(this.#base, before, grad));
          else if (input && entry.needs[i] && grad) grads.set(input, grad);
        }
        for (const grad of found) if (grad) grads.release(grad);
      }
      for (const output of entry.outputs) {
        grads.delete(output);
        if (this.#made.delete(output)) output.dispose();
      }
    }
    const wanted = grads.take(this.#watched);
    this.dispose();
    return wanted;
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

/** Gradients by tensor, several of which can be one; frees each with the last that holds it. */
class Gradients {
  readonly #grads = new Map<Tensor, Tensor>();
  readonly #holders = new Map<Tensor, number>();

  hold(grad: Tensor): void {
    this.#holders.set(grad, (this.#holders.get(grad) ?? 0) + 1);
  }

  release(grad: Tensor): void {
    const left = this.#holders.get(grad)! - 1;
    this.#holders.set(grad, left);
    if (left > 0) return;
    this.#holders.delete(grad);
    grad.dispose();
  }

  get(of: Tensor): Tensor | null {
    return this.#grads.get(of) ?? null;
  }

  set(of: Tensor, grad: Tensor): void {
    this.hold(grad);
    this.delete(of);
    this.#grads.set(of, grad);
  }

  delete(of: Tensor): void {
    const grad = this.#grads.get(of);
    if (!grad) return;
    this.#grads.delete(of);
    this.release(grad);
  }

  /** Those of `wanted`; the others are freed. */
  take(wanted: ReadonlySet<Tensor>): Map<Tensor, Tensor> {
    const taken = new Map<Tensor, Tensor>();
    for (const [of, grad] of [...this.#grads]) {
      if (wanted.has(of)) taken.set(of, grad);
      else this.delete(of);
    }
    return taken;
  }
}
