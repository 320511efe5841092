import type { OpContext } from '../../dist/device.js';
import { Recorder } from '../../dist/device.js';
import { nonLocalRoi } from '../../dist/ops/non_local_roi.js';
import { roiAlign } from '../../dist/ops/roi_align.js';
import { Tensor } from '../../dist/tensor.js';
import { serve } from './serve.js';
import { OP_SPECS } from './specs.js';

const name = process.argv[2] as keyof typeof OP_SPECS;

function filled(shape: readonly number[], low: number, high: number): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  let state = count;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * state) / 2 ** 32;
  };
  return Tensor.from(Float32Array.from({ length: count }, next), shape);
}

const OPS: Record<keyof typeof OP_SPECS, (context: OpContext) => Tensor> = {
  roi_align(context) {
    const { rois, channels, levels, scales, size } = OP_SPECS.roi_align;
    const maps = levels.map(([h, w]) => filled([1, channels, h, w], -1, 1));
    const boxes = Tensor.from(Float32Array.from(rois().flat()), [rois().length, 4]);
    return roiAlign(context, maps, boxes, {
      outputSize: [size, size],
      spatialScales: scales,
      samplingRatio: 2,
    });
  },
  non_local_roi(context) {
    const { n, channels, side, embed, values } = OP_SPECS.non_local_roi;
    const pair = (o: number, c: number, k: number) => ({
      weight: filled([o, c, k, k], -0.02, 0.02),
      bias: filled([o], -0.1, 0.1),
    });
    const weights = {
      phi: pair(embed, channels, 1),
      psi: pair(embed, channels, 1),
      g1x1: pair(values, channels, 1),
      g3x3: pair(values, values, 3),
    };
    return nonLocalRoi(context, filled([n, channels, side, side], 0, 1), weights);
  },
};

// The op alone, as the device thread times it: in a network its inputs are where and how it wants them.
const recorder = new Recorder();
const output = OPS[name](recorder);
const plan = recorder.finish([output]);

serve(async () => {
  const times = await plan.profile([]);
  return { milliseconds: times.find(([op]) => op === name)![1] / 1000 };
});
