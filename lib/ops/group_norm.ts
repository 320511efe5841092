import { defineGradient } from '../autograd/gradients.js';
import type { OpContext } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { NormOptions } from './batch_norm.js';
import { groupNormBackward } from './group_norm_backward.js';

export interface GroupNormOptions extends NormOptions {
  /** Divides C. */
  groups: number;
}

/** torch.nn.functional.group_norm, with residual and ReLU fused: x float32 [N, C, H, W] -> [N, C, H, W]. */
export function groupNorm(context: OpContext, x: Tensor, options: GroupNormOptions): Tensor {
  const { weight, bias, groups, residual, eps = 1e-5, relu = false } = options;
  return context.op('group_norm', [x, weight, bias, residual], { groups, eps, relu })[0]!;
}

defineGradient('group_norm', (context, { inputs, outputs, attrs, needs }, [grad]) => {
  if (!grad) return [];
  const [x, weight] = inputs;
  const [y, mean, inverse] = outputs as [Tensor, Tensor, Tensor];
  const masked = Boolean(attrs.relu && needs[3]);
  const statistics = { mean, inverse };
  const options = { y: attrs.relu ? y : undefined, residual: masked };
  const back = groupNormBackward(context, grad, x!, weight!, statistics, attrs.groups as number, options);
  return [back.x, back.weight, back.bias, needs[3] ? (back.residual ?? grad) : null];
});
