import { join } from 'node:path';
import test from 'ava';
import { applyOverride, changedKeys, parseTrainingConfig } from '../../dist/runs/config.js';
import { formatConfig } from '../../dist/schema.js';

const data = { format: 'labelmaps', dir: 'cells' };

test('what is missing has its default, torchvision’s where it has one', (t) => {
  const config = parseTrainingConfig({ data });
  t.is(config.data.dir, join(process.cwd(), 'cells'));
  t.is(config.model.backbone, 'resnet50');
  t.is(config.sampling.box_batch_size_per_image, 512);
  t.is(config.sampling.rpn_fg_iou_thresh, 0.7);
  t.deepEqual(config.optimizer, {
    type: 'sgd',
    lr: 0.0025,
    momentum: 0.9,
    nesterov: false,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weight_decay: 1e-4,
    no_decay_on_norms_and_biases: false,
    clip_norm: null,
    accumulate: 1,
    ema: null,
  });
  t.true(config.resize);
  t.false(parseTrainingConfig({ data, crop: [64, 64] }).resize);
  t.is(parseTrainingConfig({ data, evaluation: { metrics: ['stardist'] } }).evaluation.best, 'stardist_0.50');
  t.is(parseTrainingConfig({ data, model: { architecture: 'fasterrcnn' } }).evaluation.best, 'bbox_AP');
  t.is(parseTrainingConfig({ data, optimizer: { type: 'adamw' } }).optimizer.weight_decay, 0.01);
  t.is(parseTrainingConfig({ data, init: 'a.pth' }).trainable_backbone_layers, 3);
  // A complete config means itself.
  t.deepEqual(parseTrainingConfig(JSON.parse(formatConfig(config))), config);
});

const WRONG: [value: Record<string, unknown>, message: RegExp][] = [
  [{}, /a value for data\.format/],
  [{ data: { format: 'coco' } }, /a value for data\.dir/],
  [
    { data: { ...data, format: 'voc' } },
    /one of labelmaps, coco, cityscapes, kitti for data\.format but received "voc"/,
  ],
  [{ data, optimiser: {} }, /received optimiser; did you mean optimizer\?/],
  [{ data, optimizer: { lrr: 1 } }, /received optimizer\.lrr; did you mean optimizer\.lr\?/],
  [{ data, optimizer: { lr: '0.1' } }, /a positive number for optimizer\.lr but received "0\.1"/],
  [{ data, optimizer: { type: 'adam' } }, /sgd, adamw/],
  [{ data, optimizer: { nesterov: true, momentum: 0 } }, /optimizer\.momentum/],
  [{ data, model: { num_clases: 3 } }, /model: .*did you mean num_classes\?/],
  [{ data, model: [] }, /model: Expected an object/],
  [{ data, schedule: { type: 'multi_step' } }, /one or more steps for schedule\.type multi_step/],
  [{ data, schedule: { type: 'multi_step', milestones: [20, 10] } }, /rising steps/],
  [{ data: { ...data, augment: { scale: [2, 1] } } }, /two rising numbers for data\.augment\.scale/],
  [{ data: { ...data, augment: { scale: [0, 1] } } }, /two positive numbers/],
  [{ data: { ...data, workers: 1.5 } }, /an integer from 0 to 256 for data\.workers/],
  [{ data, crop: [64] }, /an array of 2 values for crop/],
  [{ data, sampling: { box_bg_iou_thresh: 0.6 } }, /at most box_fg_iou_thresh \(0\.5\)/],
  [{ data, evaluation: { best: 'AP' } }, /segm_AP, .* for evaluation\.best but received "AP"/],
  [{ data, on_data_error: 'ignore' }, /fail, skip/],
  [{ data, seed: -1 }, /seed/],
  [{ data, keep: 0 }, /an integer from 1/],
  [{ data, trainable_backbone_layers: 6 }, /an integer from 0 to 5/],
];

for (const [value, message] of WRONG) {
  test(`refused: ${JSON.stringify(value)}`, (t) => {
    t.throws(() => parseTrainingConfig(value), { code: 'ERR_NLRCNN_CONFIG', message });
  });
}

test('overrides are JSON or strings, make what is missing and leave the rest alone', (t) => {
  const config = { data: { ...data }, model: { non_local_roi: null } } as Record<string, unknown>;
  for (const override of [
    'steps=12',
    'data.dir=a=b',
    'crop=[64,96]',
    'optimizer.ema=0.99',
    'model.non_local_roi.heads=["box"]',
    'data.val_split=null',
    'data.class_name=7 up',
  ]) {
    applyOverride(config, override);
  }
  t.deepEqual(config, {
    data: { format: 'labelmaps', dir: 'a=b', val_split: null, class_name: '7 up' },
    model: { non_local_roi: { heads: ['box'] } },
    steps: 12,
    crop: [64, 96],
    optimizer: { ema: 0.99 },
  });
  t.is(parseTrainingConfig(config).model.non_local_roi!.embed_channels, 64);
  for (const wrong of ['steps', '=1', 'a..b=1', 'steps.more=1', 'crop.0=1']) {
    t.throws(() => applyOverride(config, wrong), { code: 'ERR_NLRCNN_CONFIG' }, wrong);
  }
});

test('a continued run may change what does not bear on the past', (t) => {
  const before = parseTrainingConfig({ data });
  const now = parseTrainingConfig({
    data: { ...data, dir: '/elsewhere', workers: 3 },
    steps: 5,
    keep: 9,
    optimizer: { lr: 1 },
    model: { anchor_sizes: [[1], [2], [3], [4], [5]] },
  });
  t.deepEqual(changedKeys(before, now), ['model.anchor_sizes', 'optimizer.lr']);
});
