import type { NativeAttrs } from '../binding.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';

/** An op call as it was made, for its gradient rule. */
export interface SavedCall {
  readonly inputs: readonly (Tensor | null)[];
  readonly outputs: readonly Tensor[];
  readonly attrs: NativeAttrs;
  /** Whether the gradient of each input is asked for. */
  readonly needs: readonly boolean[];
}

/**
 * Gradients of a call's inputs from those of its outputs, by ops of `context`. `grads[i]` is null where output i does
 * not bear on the loss; what comes back is null where an input has no gradient or none is asked for. Every tensor that
 * comes back is new or one of `grads`, which a rule may give back as it is for any number of inputs.
 */
export type GradientRule = (
  context: OpContext,
  call: SavedCall,
  grads: readonly (Tensor | null)[],
) => (Tensor | null | undefined)[];

const rules = new Map<string, GradientRule | 'none'>();

/** Says what the gradient of an op is; called once, beside the op. */
export function defineGradient(op: string, rule: GradientRule): void {
  rules.set(op, rule);
}

/** Says that nothing flows back through an op (as torchvision detaches proposals). */
export function stopGradient(op: string): void {
  rules.set(op, 'none');
}

export function gradientRule(op: string): GradientRule | 'none' | undefined {
  return rules.get(op);
}
