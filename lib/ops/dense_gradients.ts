import type { GradientRule } from '../autograd/gradients.js';
import type { NativeAttrs } from '../binding.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';

/** Which gradients of a dense layer are asked for. */
export interface DenseGradientsAsked {
  dx?: boolean | undefined;
  dweight?: boolean | undefined;
  dbias?: boolean | undefined;
  /** Of what is added before the ReLU; only with one, as it is `grad` otherwise. */
  dresidual?: boolean | undefined;
}

/** Those that were asked for. */
export interface DenseGradients {
  x?: Tensor;
  /** float32 */
  weight?: Tensor;
  /** float32 */
  bias?: Tensor;
  residual?: Tensor;
}

/** inputs: grad, x, weight, y with a ReLU, count. */
export function denseGradients(
  context: OpContext,
  op: string,
  inputs: readonly (Tensor | null | undefined)[],
  { dx = false, dweight = false, dbias = false, dresidual = false }: DenseGradientsAsked,
  attrs: NativeAttrs = {},
): DenseGradients {
  const outputs = context.op(op, inputs, { ...attrs, relu: !!inputs[3], dx, dweight, dbias, dresidual });
  const next = (asked: boolean, name: string) => (asked ? { [name]: outputs.shift()! } : {});
  return {
    ...next(dx, 'x'),
    ...next(dweight, 'weight'),
    ...next(dbias, 'bias'),
    ...next(dresidual, 'residual'),
  };
}

/** The rule of a layer with inputs x, weight, bias, residual where it can have one, and count. */
export function denseRule(op: string, { residual }: { residual: boolean }): GradientRule {
  return (context, { inputs, outputs, attrs, needs }, [grad]) => {
    const [x, weight] = inputs;
    const y = attrs.relu ? outputs[0] : null;
    const [dx, dweight, dbias] = needs;
    const added = residual && needs[3];
    const asked = { dx, dweight, dbias, dresidual: added && !!attrs.relu };
    const count = inputs[residual ? 4 : 3];
    const back = Object.values(asked).includes(true)
      ? denseGradients(context, op, [grad, x, weight, y, count], asked, attrs)
      : {};
    return [back.x, back.weight, back.bias, added ? (back.residual ?? grad!) : null];
  };
}
