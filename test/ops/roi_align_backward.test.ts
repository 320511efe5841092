import test from 'ava';
import type { Device } from '../../dist/device.js';
import { ops } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { onDevices } from '../helpers/device.js';
import { type GradientCase, gradientCases, gradientError, upstream } from '../helpers/gradients.js';
import { place } from '../helpers/run-op.js';

/** Gradients of the levels of a case. */
async function backward(
  { testCase, index }: GradientCase,
  device: Device,
): Promise<Map<string, Float32Array>> {
  const { rois, ...maps } = place(testCase, { device });
  const levels = Object.entries(maps).map(([name, tensor]) => [name, tensor!.shape] as const);
  const { attrs } = testCase;
  const [height, width] = attrs.output_size as [number, number];
  const [images, channels] = levels[0]![1] as [number, number];
  const grad = upstream(index, [rois!.shape[0]!, channels, height, width]);
  const outputs = ops.roiAlignBackward(Tensor.from(grad.data, grad.shape, device), rois!, {
    outputSize: [height, width],
    spatialScales: attrs.spatial_scales ?? [attrs.spatial_scale],
    samplingRatio: attrs.sampling_ratio,
    aligned: attrs.aligned,
    canonicalScale: attrs.canonical_scale,
    canonicalLevel: attrs.canonical_level,
    images,
    levelSizes: levels.map(([, shape]) => [shape[2]!, shape[3]!] as const),
  });
  const read = await Promise.all(outputs.map((tensor) => tensor.read()));
  return new Map(levels.map(([name], i) => [name, read[i]!.data as Float32Array]));
}

for (const op of ['roi_align', 'multi_scale_roi_align']) {
  for (const [device, gradientCase] of onDevices(gradientCases(op))) {
    const { testCase, expected, limit } = gradientCase;
    test(`${device} gradient of ${op} ${testCase.name} agrees with torchvision, the same bits each time`, async (t) => {
      const gradients = await backward(gradientCase, device);
      for (const [name, wanted] of expected) {
        const { norm, worst } = gradientError(gradients.get(name)!, wanted);
        t.true(norm <= limit(name, device), `${name}: ${norm} in norm`);
        t.true(worst <= 1e-3, `${name}: ${worst} at worst`);
      }
      t.deepEqual(await backward(gradientCase, device), gradients);
    });
  }
}
