import test from 'ava';
import type { Device } from '../../dist/device.js';
import { ops } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { onDevices } from '../helpers/device.js';
import { type GradientCase, gradientCases, gradientError, upstream } from '../helpers/gradients.js';
import { place } from '../helpers/run-op.js';

async function backward(
  { testCase, index }: GradientCase,
  device: Device,
): Promise<Map<string, Float32Array>> {
  const inputs = place(testCase, { device });
  const { attrs } = testCase;
  const pair = (name: string) =>
    inputs[`${name}.weight`] && { weight: inputs[`${name}.weight`]!, bias: inputs[`${name}.bias`]! };
  const grad = upstream(index, [inputs.x!.shape[0]!, inputs['g_1x1.bias']!.shape[0]!]);
  const gradients = ops.nonLocalRoiBackward(
    Tensor.from(grad.data, grad.shape, device),
    inputs.x!,
    { phi: pair('phi'), psi: pair('psi'), g1x1: pair('g_1x1')!, g3x3: pair('g_3x3')!, wF: inputs.w_f },
    { pairwise: attrs.pairwise, scale: attrs.scale, numHeads: attrs.num_heads, segments: inputs.segments },
  );
  const named = {
    x: gradients.x,
    'phi.weight': gradients.phi.weight,
    'phi.bias': gradients.phi.bias,
    'psi.weight': gradients.psi.weight,
    'psi.bias': gradients.psi.bias,
    'g_1x1.weight': gradients.g1x1.weight,
    'g_1x1.bias': gradients.g1x1.bias,
    'g_3x3.weight': gradients.g3x3.weight,
    'g_3x3.bias': gradients.g3x3.bias,
    w_f: gradients.wF,
  };
  const read = Object.entries(named).map(
    async ([name, tensor]) => [name, (await tensor.read()).data as Float32Array] as const,
  );
  return new Map(await Promise.all(read));
}

for (const [device, gradientCase] of onDevices(gradientCases('non_local_roi'))) {
  const { testCase, expected, limit } = gradientCase;
  test(`${device} gradient of non_local_roi ${testCase.name} agrees with PyTorch, the same bits each time`, async (t) => {
    const gradients = await backward(gradientCase, device);
    for (const [name, wanted] of expected) {
      const largest = Math.max(...(wanted.data as Float32Array).map(Math.abs));
      // By construction zero (the bias of psi behind a softmax): nothing to be relative to.
      if (largest < 1e-9) {
        t.true(
          gradients.get(name)!.every((v) => Math.abs(v) < 1e-6),
          name,
        );
        continue;
      }
      const { norm, worst } = gradientError(gradients.get(name)!, wanted);
      t.true(norm <= limit(name, device), `${name}: ${norm} in norm`);
      t.true(worst <= 1e-3, `${name}: ${worst} at worst`);
    }
    t.deepEqual(await backward(gradientCase, device), gradients);
  });
}
