import { Recorder } from '../../dist/device.js';
import { splitChannels } from '../../dist/layers/parameters.js';
import { cellAnchors } from '../../dist/models/anchors.js';
import { pictureSize } from '../../dist/models/transform.js';
import { ops as eagerOps, opsFor } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import type { Place } from './device.js';
import type { OpCase } from './goldens.js';
import { type InputArray, makeInput } from './inputs.js';

/** Inputs of a case on the device; absent ones are undefined. */
type Inputs = Record<string, Tensor | undefined>;
/** Outputs under the names that the goldens give them. */
type Run = (ops: typeof eagerOps, inputs: Inputs, testCase: OpCase) => Record<string, Tensor>;

/** How a case of test/cases/OP.json is run with the library's ops. */
export const RUNS: Record<string, Run> = {
  add: (ops, { a, b }) => ({ out: ops.add(a!, b!) }),
  add_broadcast: (ops, { x, v }) => ({ out: ops.addBroadcast(x!, v!) }),
  concat: (ops, inputs) => ({ out: ops.concat(Object.values(inputs).map((input) => input!)) }),
  match_boxes: (ops, { boxes, targets, crowd }, { attrs }) => ({
    out: ops.matchBoxes(boxes!, targets!, {
      high: attrs.high,
      low: attrs.low,
      lowQuality: attrs.low_quality,
      crowd,
    }),
  }),
  mask_targets: (ops, { bitmaps, windows, rois }, { attrs }) => ({
    out: ops.maskTargets(bitmaps!, windows!, rois!, { size: attrs.size }),
  }),
  conv2d: (ops, { x, weight, bias, residual }, { attrs }) => ({
    out: ops.conv2d(x!, weight!, { bias, residual, ...attrs }),
  }),
  conv_transpose2d: (ops, { x, weight, bias }, { attrs }) => ({
    out: ops.convTranspose2d(x!, weight!, { bias, relu: attrs.relu }),
  }),
  linear: (ops, { x, weight, bias, accumulate }, { attrs }) => ({
    out: ops.linear(x!, weight!, { bias, accumulate, relu: attrs.relu }),
  }),
  max_pool2d: (ops, { x }, { attrs }) => ({
    out: ops.maxPool2d(x!, { kernel: attrs.kernel, stride: attrs.stride, padding: attrs.padding }),
  }),
  batch_norm: (ops, { x, weight, bias, running_mean, running_var, residual }, { attrs }) => ({
    out: ops.batchNorm(x!, {
      weight: weight!,
      bias: bias!,
      runningMean: running_mean,
      runningVar: running_var,
      residual,
      ...attrs,
    }),
    ...(running_mean && running_var && { running_mean, running_var }),
  }),
  group_norm: (ops, { x, weight, bias, residual }, { attrs }) => ({
    out: ops.groupNorm(x!, {
      weight: weight!,
      bias: bias!,
      groups: attrs.groups,
      residual,
      eps: attrs.eps,
      relu: attrs.relu,
    }),
  }),
  scale_rows: (ops, { weight, scale }) => ({ out: ops.scaleRows(weight!, scale!) }),
  split_channels: (ops, { weight }, { attrs }) => ({ ...ops.splitChannels(weight!, attrs.at) }),
  sum_places: (ops, { weight }, { attrs }) => ({ out: ops.sumPlaces(weight!, attrs.places) }),
  reshape: (ops, { x }, { attrs }) => ({ out: ops.reshape(x!, attrs.shape) }),
  tap_bias: (ops, { y, weight, bias }, { attrs }) => ({
    out: ops.tapBias(y!, weight!, { height: attrs.height, width: attrs.width, bias }),
  }),
  scale: (ops, { x, by }, { attrs }) => ({ out: ops.scale(x!, by!, attrs.factor) }),
  sigmoid_cross_entropy: (ops, { logits, targets }, { attrs }) => ({
    out: ops.sigmoidCrossEntropy(logits!, targets!, attrs).loss,
  }),
  softmax_cross_entropy: (ops, { logits, labels }, { attrs }) => ({
    out: ops.softmaxCrossEntropy(logits!, labels!, attrs).loss,
  }),
  smooth_l1: (ops, { pred, targets, labels }, { attrs }) => ({
    out: ops.smoothL1(pred!, targets!, { ...attrs, labels }).loss,
  }),
  mask_loss: (ops, { logits, labels, targets }, { attrs }) => ({
    out: ops.maskLoss(logits!, labels!, targets!, attrs).loss,
  }),
  rpn_loss: (ops, { indices, labels, targets, ...maps }, { attrs }) => {
    const map = (part: string) =>
      Object.keys(maps).flatMap((name) => (name.startsWith(part) ? [maps[name]!] : []));
    const samples = { indices: indices!, labels: labels!, targets: targets! };
    const { objectness, boxReg } = ops.rpnLoss(map('objectness'), map('deltas'), samples, {
      beta: attrs.beta,
    });
    return { objectness, boxReg };
  },
  upsample_add: (ops, { top, lateral }) => ({ out: ops.upsampleAdd(top!, lateral!) }),
  roi_align: (ops, { x, rois }, { attrs }) => ({
    out: ops.roiAlign([x!], rois!, {
      outputSize: attrs.output_size,
      spatialScales: [attrs.spatial_scale],
      samplingRatio: attrs.sampling_ratio,
      aligned: attrs.aligned,
    }),
  }),
  multi_scale_roi_align: (ops, { level0, level1, level2, level3, rois }, { attrs }) => ({
    out: ops.roiAlign([level0!, level1!, level2!, level3!], rois!, {
      outputSize: attrs.output_size,
      spatialScales: attrs.spatial_scales,
      samplingRatio: attrs.sampling_ratio,
      canonicalScale: attrs.canonical_scale,
      canonicalLevel: attrs.canonical_level,
    }),
  }),
  nms: (ops, { boxes, scores }, { attrs }) => ({
    keep: ops.nms(boxes!, scores!, { threshold: attrs.iou_threshold }),
  }),
  batched_nms: (ops, { boxes, scores, groups }, { attrs }) => ({
    keep: ops.nms(boxes!, scores!, { threshold: attrs.iou_threshold, groups }),
  }),
  box_decode: (ops, { boxes, deltas }, { attrs }) => ({ out: ops.boxDecode(boxes!, deltas!, attrs.weights) }),
  box_clip: (ops, { boxes }, { attrs }) => ({ out: ops.boxClip(boxes!, attrs.image_size) }),
  rpn_proposals: (ops, inputs, { attrs }) => {
    const levels = attrs.anchor_sizes.map((_: unknown, l: number) => l) as number[];
    return {
      ...ops.rpnProposals(
        levels.map((l) => inputs[`objectness${l}`]!),
        levels.map((l) => inputs[`deltas${l}`]!),
        {
          cellAnchors: cellAnchors(attrs.anchor_sizes, attrs.aspect_ratios),
          imageSize: attrs.image_size,
          paddedSize: attrs.padded_size,
          preNmsTopN: attrs.pre_nms_top_n,
          postNmsTopN: attrs.post_nms_top_n,
          nmsThresh: attrs.nms_thresh,
          scoreThresh: attrs.score_thresh,
          minSize: attrs.min_size,
        },
      ),
    };
  },
  box_detections: (ops, { class_logits, box_regression, proposals }, { attrs }) => ({
    ...ops.boxDetections(class_logits!, box_regression!, proposals!, {
      imageSize: attrs.image_size,
      scoreThresh: attrs.score_thresh,
      nmsThresh: attrs.nms_thresh,
      detectionsPerImg: attrs.detections_per_img,
      weights: attrs.weights,
    }),
  }),
  preprocess: (ops, { picture }, { attrs }) => {
    const [height, width] = picture!.shape as [number, number];
    const size = pictureSize(height, width, attrs as Parameters<typeof pictureSize>[2]);
    return {
      out: ops.preprocess(picture!, {
        outputSize: size.resized,
        paddedSize: size.padded,
        mean: attrs.image_mean,
        std: attrs.image_std,
        percentiles: attrs.percentiles ?? undefined,
      }),
    };
  },
  paste_masks: (ops, { masks, boxes }, { attrs }) => {
    const [height, width] = attrs.image_size;
    return { bitmaps: ops.pasteMasks(masks!, boxes!, { height, width, threshold: 0.5 }) };
  },
  non_local_roi: (ops, inputs, testCase) => {
    const { y } = attend(ops, inputs, testCase);
    return { y: y!, ...consume(ops, inputs, testCase.attrs.fusion, inputs.x!, y!) };
  },
};

/** The block alone, without what reads it. */
export const attend: Run = (ops, inputs, { attrs }) => {
  const pair = (name: string) =>
    inputs[`${name}.weight`] && { weight: inputs[`${name}.weight`]!, bias: inputs[`${name}.bias`]! };
  const y = ops.nonLocalRoi(
    inputs.x!,
    { phi: pair('phi'), psi: pair('psi'), g1x1: pair('g_1x1')!, g3x3: pair('g_3x3')!, wF: inputs.w_f },
    { pairwise: attrs.pairwise, scale: attrs.scale, numHeads: attrs.num_heads, segments: inputs.segments },
  );
  return { y };
};

/** The two consumers of z that the goldens hold, without z (identities 2 and 3). */
function consume(
  ops: typeof eagerOps,
  inputs: Inputs,
  fusion: 'concat' | 'add',
  x: Tensor,
  y: Tensor,
): Record<string, Tensor> {
  const { device } = inputs.x!;
  const [height, width] = x.shape.slice(2) as [number, number];
  const { fc, conv, ...rest } = { fc: 'fc.weight', conv: 'conv.weight', bias: inputs['fc.bias']! };
  const padding = [1, 1] as const;
  if (fusion === 'add') {
    const wZ = ops.linear(y, inputs['w_z.weight']!, { bias: inputs['w_z.bias'] });
    const z = ops.addBroadcast(x, wZ);
    const bias = inputs['conv.bias'];
    return {
      fc: ops.linear(z, inputs[fc]!, rest),
      conv: ops.conv2d(z, inputs[conv]!, { bias, padding }),
    };
  }
  const channels = x.shape[1]!;
  const split = (name: string, places: number) => {
    const { data, shape } = host.get(inputs[name]!)!;
    return { outputs: shape[0]!, ...splitChannels(data as Float32Array, shape[0]!, channels, places) };
  };
  const places = height * width;
  const left = split(fc, places);
  const sums = Float32Array.from({ length: left.y.length / places }, (_, i) =>
    left.y.subarray(i * places, (i + 1) * places).reduce((a, b) => a + b, 0),
  );
  const accumulate = ops.linear(y, Tensor.from(sums, [left.outputs, sums.length / left.outputs], device!));
  const right = split(conv, 9);
  const residual = ops.tapBias(y, Tensor.from(right.y, [right.outputs, y.shape[1]!, 3, 3], device!), {
    height,
    width,
    bias: inputs['conv.bias'],
  });
  return {
    fc: ops.linear(x, Tensor.from(left.x, [left.outputs, left.x.length / left.outputs], device!), {
      ...rest,
      accumulate,
    }),
    conv: ops.conv2d(x, Tensor.from(right.x, [right.outputs, channels, 3, 3], device!), {
      residual,
      padding,
    }),
  };
}

const host = new WeakMap<Tensor, { data: InputArray; shape: number[] }>();

/** The inputs of a case on a device. `w_z` loses its two trailing ones, and `segments` comes from the attributes. */
export function place({ inputs, attrs }: OpCase, { device }: Place): Inputs {
  const placed: Inputs = {};
  for (const [name, spec] of Object.entries(inputs)) {
    const { data, shape } = makeInput(spec);
    const own = name === 'w_z.weight' ? shape.slice(0, 2) : shape;
    placed[name] = Tensor.from(data, own, device);
    host.set(placed[name], { data, shape: own });
  }
  if (attrs.segments) {
    placed.segments = Tensor.from(Int32Array.from(attrs.segments), [attrs.segments.length], device);
  }
  return placed;
}

/** Runs a case and reads its outputs: op by op, or as a plan where it is in fewer bits. */
export async function runCase(op: string, testCase: OpCase, where: Place): Promise<Record<string, Output>> {
  const inputs = place(testCase, where);
  if (!where.precision || where.precision === 'fp32') {
    const outputs = Object.entries(RUNS[op]!(eagerOps, inputs, testCase));
    const read = await Promise.all(outputs.map(async ([name, tensor]) => [name, await tensor.read()]));
    return Object.fromEntries(read) as Record<string, Output>;
  }
  const recorder = new Recorder(where.device, where.precision);
  const outputs = Object.entries(RUNS[op]!(opsFor(recorder), inputs, testCase));
  const plan = recorder.finish(outputs.map(([, tensor]) => tensor));
  const read = await plan.run([]);
  plan.dispose();
  return Object.fromEntries(outputs.map(([name], i) => [name, read[i]])) as unknown as Record<string, Output>;
}

export interface Output {
  shape: number[];
  data: Exclude<Awaited<ReturnType<Tensor['read']>>['data'], BigInt64Array>;
}
