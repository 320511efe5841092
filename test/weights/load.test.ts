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

test('prefixes are taken off; of weights of another network three names are told', async (t) => {
  const under = (prefix: string) => (header: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(header).map(([name, value]) => [name === '__metadata__' ? name : prefix + name, value]),
    );
  const { state: now } = await loadWeights({ weights });
  for (const prefix of ['module.', 'model._orig_mod.']) {
    const { state } = await loadWeights({ weights: renamed('prefixed', under(prefix)), config });
    t.deepEqual([...state.keys()], [...now.keys()]);
    t.deepEqual(state.get('rpn.head.cls_logits.bias')!.data, now.get('rpn.head.cls_logits.bias')!.data);
  }
  const error = await t.throwsAsync(
    loadWeights({ weights: renamed('other', under('backbone.bottom_up.')), config }),
    {
      code: 'ERR_NLRCNN_WEIGHTS',
      message: /none of its names is one of torchvision's Mask R-CNN; they are backbone\.bottom_up\./,
    },
  );
  t.regex(error!.message, /… and \d+ more$/);
  t.true(error!.message.split('\n').length < 110);
});

/** A copy of the nuclei weights with one value of a tensor set; halves, as the model has them. */
function bent(file: string, name: string, half: number): string {
  const path = renamed(file, (header) => header);
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
    string,
    { dtype: string; data_offsets: number[] }
  >;
  bytes.writeUInt16LE(half, 8 + length + header[name]!.data_offsets[0]!);
  writeFileSync(path, bytes);
  return path;
}

test('weights that are not finite are refused by name and count', async (t) => {
  const code = 'ERR_NLRCNN_WEIGHTS';
  const name = 'roi_heads.box_head.fc7.weight';
  for (const half of [0x7e00, 0x7c00, 0xfc00, 0xffff]) {
    await t.throwsAsync(loadWeights({ weights: bent('nan', name, half), config }), {
      code,
      message:
        /expected finite weights but 1 tensor is not:\n {2}roi_heads\.box_head\.fc7\.weight \(1 of \d+ values/,
    });
  }
  t.truthy(await loadWeights({ weights: bent('largest', name, 0x7bff), config }));
  const variance = 'backbone.body.layer1.0.bn1.running_var';
  await t.throwsAsync(loadWeights({ weights: bent('negative', variance, 0xbc00), config }), {
    code,
    message: /running_var \(1 of 64 variances are negative\)/,
  });
  t.truthy(await loadWeights({ weights: bent('zero', variance, 0), config }));
  await t.throwsAsync(
    loadWeights({ weights: bent('zero', variance, 0), config: { ...config, norm_eps: 0 } }),
    {
      code,
      message: /variances of 0, by whose root norm_eps 0 divides/,
    },
  );
});

test('values of any size, depth and kind are refused by the name of their key', (t) => {
  const nested = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;
  const EMPTY = {};
  const circular: unknown[] = [];
  circular.push(circular);
  const kinds = [
    nested,
    circular,
    { a: nested },
    'x'.repeat(1e6),
    Infinity,
    -1e308,
    1e308,
    NaN,
    10n,
    Symbol('s'),
    () => 1,
    [null],
    EMPTY,
    true,
  ];
  for (const key of Object.keys(parseConfig({}))) {
    for (const kind of kinds) {
      // An empty block is one of defaults.
      if (key === 'non_local_roi' && kind === EMPTY) continue;
      const error = t.throws(() => parseConfig({ [key]: kind }), { code: 'ERR_NLRCNN_CONFIG' }, key);
      t.true(error!.message.includes(key) && error!.message.length < 300, error!.message);
    }
  }
  const inside = JSON.parse('{"non_local_roi": {"heads": [[[[]]]]}}') as unknown;
  t.throws(() => parseConfig(inside), { code: 'ERR_NLRCNN_CONFIG', message: /non_local_roi\.heads\[0\]/ });
  for (const key of ['__proto__', 'constructor', 'x'.repeat(1e6)]) {
    const value = JSON.parse(`{"${key}": {"min_size": 3}}`) as unknown;
    const error = t.throws(() => parseConfig(value), { code: 'ERR_NLRCNN_CONFIG' });
    t.true(error!.message.includes(key.slice(0, 80)) && error!.message.length < 300);
  }
  for (const value of [nested, circular, 5, undefined, 10n])
    t.throws(() => parseConfig(value), { code: 'ERR_NLRCNN_CONFIG' });
  t.throws(() => parseConfig({ anchor_aspect_ratios: Array(1e6).fill(1) }), {
    message: /array of 1 to 64 values/,
  });
});

test('what is no path is refused before anything is opened', async (t) => {
  const code = 'ERR_NLRCNN_ARGUMENT';
  for (const value of [0, 1.5, null, {}, new URL('file:///x')]) {
    await t.throwsAsync(loadWeights({ weights: value as string }), { code, message: /weights/ });
    await t.throwsAsync(loadWeights({ model: value as string }), { code, message: /model/ });
  }
  await t.throwsAsync(loadWeights({ weights, config: 0 as unknown as string }), { code, message: /config/ });
});

test('a config that begins with a byte order mark is read', async (t) => {
  const path = join(folder, 'marked.json');
  writeFileSync(path, `\ufeff${JSON.stringify(config)}`);
  t.is((await loadWeights({ weights, config: path })).config.num_classes, 2);
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
