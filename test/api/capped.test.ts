import test from 'ava';
import { toJson } from '../../dist/cli/outputs.js';
import { Model } from '../../dist/model.js';
import { type Cap, type Reached, reachedCaps } from '../../dist/models/caps.js';
import { resetWarnings } from '../../dist/warnings.js';
import { parseConfig } from '../../dist/weights/config.js';
import { MODEL_CASES, photoPath, seededModel } from '../helpers/model-cases.js';

const nlBox = MODEL_CASES.find(({ name }) => name === 'nl-box')!;
const PHOTO = photoPath(nlBox.photo);

function modelWith(config: Record<string, unknown>): Model {
  const { config: parsed, parameters } = seededModel(
    { ...nlBox, config: { ...nlBox.config, ...config } },
    'cpu',
  );
  return new Model('capped', parsed, 'cpu', 'fp32', parameters);
}

const warnings: string[] = [];
process.on('warning', (warning) => {
  if ((warning as { code?: string }).code === 'NLRCNN_CAPPED') warnings.push(warning.message);
});

test('a result says which limits it reached, and one warning names the key', async (t) => {
  resetWarnings();
  using whole = modelWith({ rpn_post_nms_top_n: 60 });
  const all = await whole.segment(PHOTO);
  const count = all.detections.length;
  t.true(count > 3 && count < whole.config.box_detections_per_img, `${count}`);
  t.false(all.capped?.includes('box_detections_per_img') ?? false);

  using tight = modelWith({ rpn_post_nms_top_n: 60, box_detections_per_img: count - 2 });
  const [cut] = await tight.segment([PHOTO, PHOTO]);
  t.deepEqual(cut!.detections.length, count - 2);
  t.true(cut!.capped!.includes('box_detections_per_img'));
  t.deepEqual(toJson('a.jpg', tight, cut!).capped, cut!.capped);
  const { capped: _, ...free } = cut!;
  t.false('capped' in toJson('a.jpg', tight, free));

  // What was cut is below the last: nothing is missing above a higher score, nor among fewer.
  const last = cut!.detections.at(-1)!.score;
  const above = await tight.segment(PHOTO, { score: last + 1e-6 });
  t.false(above.capped?.includes('box_detections_per_img') ?? false);
  const fewer = await tight.segment(PHOTO, { maxDetections: 1 });
  t.false(fewer.capped?.includes('box_detections_per_img') ?? false);

  using few = modelWith({ rpn_post_nms_top_n: 2 });
  t.deepEqual((await few.segment(PHOTO)).capped, ['rpn_post_nms_top_n']);
  await new Promise(setImmediate);
  const of = (key: Cap) => warnings.filter((message) => message.includes(key));
  t.is(of('box_detections_per_img').length, 1);
  t.regex(
    of('box_detections_per_img')[0]!,
    new RegExp(`An image has ${count - 2} detections, the most that`),
  );
  t.true(of('rpn_post_nms_top_n').some((message) => message.includes('An image has 2 proposals')));
});

test('proposals count where the last one is likely an object', (t) => {
  const config = parseConfig({ rpn_post_nms_top_n: 3, box_detections_per_img: 2 });
  const reach = (objectness: number[], own: Partial<Reached> = {}) =>
    reachedCaps(config, {
      scores: [],
      objectness: { dtype: 'float32', shape: [3], data: Float32Array.from(objectness) },
      proposals: objectness.filter((value) => value > 0).length,
      ...own,
    });
  t.deepEqual(reach([0.9, 0.8, 0.5]), ['rpn_post_nms_top_n']);
  t.deepEqual(reach([0.9, 0.8, 0.49]), []);
  t.deepEqual(reach([0.9, 0.8, 0]), []);
  t.deepEqual(reach([0, 0, 0], { scores: [0.9, 0.5] }), ['box_detections_per_img']);
  t.deepEqual(reach([0, 0, 0], { scores: [0.9] }), []);
  t.deepEqual(reach([0, 0, 0], { scores: [0.9, 0.5], score: 0.6 }), []);
  t.deepEqual(reach([0, 0, 0], { scores: [0.9, 0.5], score: 0.5 }), ['box_detections_per_img']);
  t.deepEqual(reach([0, 0, 0], { scores: [0.9, 0.5], most: 2 }), []);
  t.deepEqual(reach([0, 0, 0], { scores: [0.9, 0.5], most: 3 }), ['box_detections_per_img']);
});
