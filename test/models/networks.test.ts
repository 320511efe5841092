import test from 'ava';
import { Recorder } from '../../dist/device.js';
import { decodeImage } from '../../dist/images/decode.js';
import { Model } from '../../dist/model.js';
import { makeNetwork, type Results } from '../../dist/models/mask-rcnn.js';
import { pictureSize } from '../../dist/models/transform.js';
import type { Tensor } from '../../dist/tensor.js';
import { compareDetections } from '../helpers/agreement.js';
import { CUDA, EMULATED, onDevices } from '../helpers/device.js';
import { golden, loadGoldens, relativeError } from '../helpers/goldens.js';
import {
  type ExpectedDetection,
  MODEL_CASES,
  photoPath,
  readJson,
  type Stage,
  seededModel,
} from '../helpers/model-cases.js';

// fp32 of another order of operations: torchvision's own fp32 differs from its fp64 by up to a few 1e-6 at these stages.
const STAGE_TOLERANCE = 1e-4;

/** Tensors of a run under the goldens' stage names. */
function stagesOf(results: Results, logits: Tensor | undefined): Record<string, Tensor> {
  const levels = (name: string, first: number, tensors: readonly Tensor[]) =>
    tensors.map((tensor, i) => [`${name}${i + first}`, tensor] as const);
  const { box, mask, detections } = results;
  return Object.fromEntries([
    ['image', results.image],
    ...levels('c', 2, results.features),
    ...levels('p', 2, results.levels),
    ...levels('objectness', 2, results.objectness),
    ...levels('deltas', 2, results.deltas),
    ['proposals', results.proposals],
    ['box_pool', box.box_pool],
    ['box_head', box.box_head],
    ['class_logits', box.class_logits],
    ['box_regression', box.box_regression],
    ['detection_boxes', detections.boxes],
    ...(mask ? [['mask_pool', mask.mask_pool] as const] : []),
    ...(logits ? [['mask_logits', logits] as const] : []),
    // With the sum there is a z to compare; with concat it never exists.
    ...(box.box_nl && !box.box_nl.y ? [['box_nl', box.box_nl.x] as const] : []),
    ...(mask?.mask_nl && !mask.mask_nl.y ? [['mask_nl', mask.mask_nl.x] as const] : []),
  ]);
}

const BY_PROPOSAL = new Set([
  'proposals',
  'box_pool',
  'box_nl',
  'box_head',
  'class_logits',
  'box_regression',
]);

/**
 * For each expected box the row of `actual` nearest to it among the rows around its own: proposals whose scores differ
 * by a rounding may change places.
 */
function matchRows(actual: Float32Array, expected: Float32Array): number[] {
  const distance = (i: number, j: number) =>
    Math.max(...[0, 1, 2, 3].map((c) => Math.abs(actual[4 * j + c]! - expected[4 * i + c]!)));
  return Array.from({ length: expected.length / 4 }, (_, i) => {
    const rows = [i, i - 1, i + 1, i - 2, i + 2].filter((j) => j >= 0 && 4 * j < actual.length);
    return rows.reduce((best, j) => (distance(i, j) < distance(i, best) ? j : best));
  });
}

// The emulation takes minutes for the deepest networks and the pictures of full size.
const SLOW = ['r50-landscape', 'r50-portrait', 'r101', 'r152'];
const cases = onDevices(MODEL_CASES).filter(
  ([device, { name }]) => !(EMULATED && device === CUDA && SLOW.includes(name)),
);

for (const [device, modelCase] of cases) {
  test(`${device} ${modelCase.name}: every stage and all detections agree with torchvision`, async (t) => {
    const { config, parameters } = seededModel(modelCase, device);
    const network = makeNetwork(parameters, config);
    const pixels = await decodeImage(photoPath(modelCase.photo));
    const shape = [pixels.height, pixels.width, pixels.channels];
    const recorder = new Recorder(device);
    const size = pictureSize(pixels.height, pixels.width, config);
    const results = network.forward(recorder, recorder.input('uint8', shape), size);
    const stages = Object.entries(stagesOf(results, network.maskLogits(recorder, results)));
    const plan = recorder.finish(stages.map(([, tensor]) => tensor));
    const outputs = await plan.run([pixels.data]);
    plan.dispose();
    parameters.dispose();

    const expected = readJson('goldens', 'models', `${modelCase.name}.stages.json`).stages as Record<
      string,
      Stage
    >;
    const goldens = loadGoldens(`models/${modelCase.name}`);
    const read = new Map(stages.map(([name], i) => [name, outputs[i]!.data as Float32Array]));
    const order = matchRows(
      read.get('proposals')!,
      golden(goldens, 'proposals.samples').data as Float32Array,
    );
    for (const [name, data] of read) {
      const stage = expected[name];
      if (!stage) continue; // Faster R-CNN's goldens have no detection_boxes
      const used = stage.shape.reduce((a, b) => a * b, 1);
      const row = used / stage.shape[0]!;
      const at = (k: number) => (BY_PROPOSAL.has(name) ? order[Math.floor(k / row)]! * row + (k % row) : k);
      const picked = Float32Array.from(
        { length: Math.ceil(used / stage.stride) },
        (_, k) => data[at(k * stage.stride)]!,
      );
      const key = goldens.has(name) ? name : `${name}.samples`;
      const error = relativeError(picked, golden(goldens, key).data);
      t.true(error <= STAGE_TOLERANCE, `${name}: relative error ${error}`);
    }
  });

  test(`${device} ${modelCase.name}: detections in the picture's pixels agree with torchvision`, async (t) => {
    const { config, parameters } = seededModel(modelCase, device);
    using model = new Model(modelCase.name, config, device, 'fp32', parameters);
    const { detections } = await model.segment(photoPath(modelCase.photo));
    const expected = readJson('goldens', 'models', `${modelCase.name}.json`)
      .detections as ExpectedDetection[];
    const { box, score, iou } = compareDetections(detections, expected);
    t.is(detections.length, expected.length);
    t.true(box <= 0.05, `boxes differ by ${box} px`);
    t.true(score <= 2e-4, `scores differ by ${score}`);
    t.true(iou >= 0.995, `masks overlap by ${iou}`);
  });
}
