import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseConfig } from '../../dist/weights/config.js';
import { loadWeights } from '../../dist/weights/load.js';

const NUCLEI = join(__dirname, '..', '..', 'models', 'nuclei-r18-fpn128-nl');
const weights = join(NUCLEI, 'weights.safetensors');
const config = JSON.parse(readFileSync(join(NUCLEI, 'config.json'), 'utf8')) as Record<string, unknown>;
const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));

/** A copy of the nuclei weights under other tensor names (of the same length in bytes or not). */
function renamed(file: string, change: (header: Record<string, unknown>) => Record<string, unknown>): string {
  const bytes = readFileSync(weights);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>;
  const text = Buffer.from(JSON.stringify(change(header)));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const path = join(folder, file);
  writeFileSync(path, Buffer.concat([prefix, text, bytes.subarray(8 + length)]));
  return path;
}

test('missing keys of a config are torchvision defaults', (t) => {
  const parsed = parseConfig({});
  t.is(parsed.backbone, 'resnet50');
  t.is(parsed.min_size, 800);
  t.is(parsed.box_detections_per_img, 100);
  t.is(parsed.non_local_roi, null);
  t.is(parseConfig({ fpn_channels: 128, non_local_roi: {} }).non_local_roi!.embed_channels, 32);
});

test('misspelled keys and wrong values are named', (t) => {
  const code = 'ERR_NLRCNN_CONFIG';
  t.throws(() => parseConfig({ min_sizes: 3 }), { code, message: /did you mean min_size\?/ });
  t.throws(() => parseConfig({ non_local_roi: { pairwse: 'gaussian' } }), {
    code,
    message: /did you mean non_local_roi\.pairwise\?/,
  });
  t.throws(() => parseConfig({ something_else_entirely: 3 }), {
    code,
    message: /received something_else_entirely$/,
  });
  const wrong: Record<string, unknown>[] = [
    { box_score_thresh: 1.5 },
    { box_nms_thresh: -0.1 },
    { num_classes: 1 },
    { backbone: 'vgg' },
    { anchor_sizes: [[32], [64]] },
    { anchor_sizes: [[32], [64, 70], [1], [1], [1]] },
    { image_std: [1, 0, 1] },
    { min_size: 900, max_size: 800 },
    { class_names: ['a'], num_classes: 2 },
    { input_normalization: { percentiles: [99, 1] } },
    { non_local_roi: { heads: ['neck'] } },
    { non_local_roi: { num_heads: 3 } },
    { non_local_roi: 7 },
  ];
  for (const value of wrong) t.throws(() => parseConfig(value), { code }, JSON.stringify(value));
  for (const value of [null, [], 'x']) t.throws(() => parseConfig(value), { code });
});

test('every missing, unexpected and wrongly shaped tensor is listed in one error', async (t) => {
  const path = renamed('renamed.safetensors', (header) => {
    const {
      'backbone.fpn.layer_blocks.0.0.bias': bias,
      'rpn.head.cls_logits.bias': logits,
      ...rest
    } = header;
    return { ...rest, 'backbone.extra': bias, 'rpn.head.cls_logits.biass': logits };
  });
  const error = await t.throwsAsync(loadWeights({ weights: path, config: { ...config, box_head_fc: 256 } }), {
    code: 'ERR_NLRCNN_WEIGHTS',
  });
  for (const part of [
    'missing backbone.fpn.layer_blocks.0.0.bias [128]',
    'missing rpn.head.cls_logits.bias [3]',
    'unexpected backbone.extra',
    'unexpected rpn.head.cls_logits.biass',
    'roi_heads.box_head.fc7.weight of shape [256, 256] but received [512, 512]',
  ]) {
    t.true(error!.message.includes(part), part);
  }
});

test('weights of another class count are told as such', async (t) => {
  const { class_names: _, ...rest } = config;
  await t.throwsAsync(loadWeights({ weights, config: { ...rest, num_classes: 5 } }), {
    code: 'ERR_NLRCNN_WEIGHTS',
    message: /weights are of num_classes 2, the config says 5/,
  });
});

test('older torchvision names and num_batches_tracked are understood', async (t) => {
  const path = renamed('old.safetensors', (header) => {
    const old = (name: string) =>
      name
        .replace(/_blocks\.(\d)\.0\./, '_blocks.$1.')
        .replace('rpn.head.conv.0.0.', 'rpn.head.conv.')
        .replace(/mask_head\.(\d)\.0\./, (_, k) => `mask_head.mask_fcn${Number(k) + 1}.`);
    return Object.fromEntries(Object.entries(header).map(([name, entry]) => [old(name), entry]));
  });
  const { state } = await loadWeights({ weights: path, config });
  const { state: now } = await loadWeights({ weights });
  t.deepEqual([...state.keys()], [...now.keys()]);
  t.deepEqual(
    state.get('roi_heads.mask_head.3.0.weight')!.data,
    now.get('roi_heads.mask_head.3.0.weight')!.data,
  );
});

test('the config may lie in the metadata, or be missing', async (t) => {
  const path = renamed('metadata.safetensors', (header) => ({
    ...header,
    __metadata__: { 'nlrcnn.config': JSON.stringify(config) },
  }));
  t.is((await loadWeights({ weights: path })).config.num_classes, 2);
  const bare = renamed('bare.safetensors', ({ __metadata__: _, ...header }) => header);
  await t.throwsAsync(loadWeights({ weights: bare }), { code: 'ERR_NLRCNN_IO', message: /config\.json/ });
  await t.throwsAsync(loadWeights({ weights: bare, config: join(folder, 'none.json') }), {
    code: 'ERR_NLRCNN_IO',
  });
  writeFileSync(join(folder, 'broken.json'), '{');
  await t.throwsAsync(loadWeights({ weights: bare, config: join(folder, 'broken.json') }), {
    code: 'ERR_NLRCNN_CONFIG',
  });
});
