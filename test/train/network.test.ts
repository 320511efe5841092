import test from 'ava';
import { Tape } from '../../dist/autograd/tape.js';
import type { TrainingSample } from '../../dist/datasets/augment.js';
import { eager } from '../../dist/device.js';
import { Parameters } from '../../dist/layers/parameters.js';
import { Model } from '../../dist/model.js';
import { sgd } from '../../dist/ops/sgd.js';
import { Tensor } from '../../dist/tensor.js';
import { adaptState, initialState } from '../../dist/train/initialize.js';
import { type Losses, TrainingNetwork } from '../../dist/train/network.js';
import { DEFAULT_TRAINING, type TrainingSettings } from '../../dist/train/settings.js';
import { parseConfig } from '../../dist/weights/config.js';
import { expectedShapes } from '../../dist/weights/expected.js';
import { photoPath } from '../helpers/model-cases.js';
import { seededWeights } from '../helpers/seeded-weights.js';
import { groundTruth, loadTrainingCase, TRAINING_CASES } from '../helpers/training-cases.js';

const SMALL = {
  backbone: 'resnet18',
  fpn_channels: 32,
  num_classes: 3,
  box_head_fc: 64,
  mask_head_convs: 2,
  mask_head_channels: 32,
  anchor_sizes: [[8], [16], [32], [64], [128]],
};
const BLOCK = { embed_channels: 8, value_channels: 16, scale: 'rsqrt' };
const SETTINGS: TrainingSettings = {
  ...DEFAULT_TRAINING,
  rpn_pre_nms_top_n_train: 300,
  rpn_post_nms_top_n_train: 200,
  resize: false,
};
const samples = [
  groundTruth({ height: 96, width: 96, seed: 701, objects: 5 }, 3),
  groundTruth({ height: 64, width: 80, seed: 702, objects: 3, crowd: 1 }, 3),
];

async function values(losses: Losses): Promise<number[]> {
  return Promise.all(Object.values(losses).map(async (loss) => (await loss.read()).data[0] as number));
}

/** Losses without a way back. */
async function lossesOf(network: TrainingNetwork, batch: readonly TrainingSample[], seed = 1, step = 0) {
  using tape = new Tape();
  return values(await network.losses(tape, { samples: batch }, { seed, step }));
}

for (const norm of ['frozen', 'batch'] as const) {
  test(`norm ${norm}: the state dict is what the network was made of, and loads for inference`, async (t) => {
    const config = parseConfig({ ...SMALL, norm, min_size: 96, max_size: 128, non_local_roi: BLOCK });
    const seeded = () => seededWeights(expectedShapes(config), 9);
    using network = new TrainingNetwork(seeded(), config, { ...SETTINGS, trainable_backbone_layers: 3 });
    const state = await network.state();
    const expected = seeded();
    t.deepEqual([...state.keys()].sort(), [...expected.keys()].sort());
    for (const [name, { shape, data }] of expected) {
      t.deepEqual([...state.get(name)!.shape], shape, name);
      t.true(Buffer.from(state.get(name)!.data.buffer).equals(Buffer.from(data.buffer)), name);
    }
    const photo = photoPath('000000522418-small.png');
    const found = await Promise.all(
      [state, expected].map(async (weights) => {
        using model = new Model('', config, 'cpu', 'fp32', new Parameters(weights, 'cpu'));
        return (await model.segment(photo)).detections;
      }),
    );
    t.true(found[0]!.length > 0);
    t.deepEqual(found[0], found[1]);
  });
}

test('what is sampled follows from seed and step', async (t) => {
  const config = parseConfig({ ...SMALL, non_local_roi: BLOCK });
  // Fewer than there are, so that there is a choice.
  const settings = { ...SETTINGS, box_batch_size_per_image: 32, rpn_batch_size_per_image: 32 };
  using network = new TrainingNetwork(seededWeights(expectedShapes(config), 9), config, settings);
  const first = await lossesOf(network, samples, 5, 3);
  t.true(first.every((value) => Number.isFinite(value) && value > 0));
  t.deepEqual(await lossesOf(network, samples, 5, 3), first);
  t.notDeepEqual(await lossesOf(network, samples, 5, 4), first);
  t.notDeepEqual(await lossesOf(network, samples, 6, 3), first);
});

for (const testCase of TRAINING_CASES.filter(
  ({ name }) => name.startsWith('r18') && name !== 'r18-nothing',
)) {
  test(`${testCase.name}: proposals are torchvision's, as what is sampled among them gives its losses`, async (t) => {
    const { network, samples: batch, goldens, given } = loadTrainingCase(testCase, 'cpu');
    using tape = new Tape();
    const { anchors, rois } = given;
    const losses = await network.losses(
      tape,
      { samples: batch },
      { seed: 1, step: 0, given: { anchors, rois } },
    );
    const expected = goldens.get('losses')!.data as Float64Array;
    // Two proposals of almost the same score may change places.
    for (const [i, value] of (await values(losses)).entries()) {
      t.true(Math.abs(value - expected[i]!) <= 1e-2 * expected[i]!, `${value} instead of ${expected[i]}`);
    }
    network.dispose();
  });
}

for (const fusion of ['add', 'concat']) {
  test(`a plain network that gets the block with fusion ${fusion} has the losses that it had`, async (t) => {
    const plain = parseConfig(SMALL);
    const state = seededWeights(expectedShapes(plain), 9);
    const wider = parseConfig({ ...SMALL, non_local_roi: { ...BLOCK, fusion } });
    using before = new TrainingNetwork(new Map(state), plain, SETTINGS);
    using after = new TrainingNetwork(adaptState(state, wider, 4).state, wider, SETTINGS);
    const [wanted, found] = [await lossesOf(before, samples), await lossesOf(after, samples)];
    for (const [i, value] of found.entries()) {
      t.true(Math.abs(value - wanted[i]!) <= 1e-5 * wanted[i]!, `${value} instead of ${wanted[i]}`);
    }
  });
}

test('frozen stages and batch norms are not trainable', (t) => {
  const names = (layers: number, norm: 'frozen' | 'batch') => {
    const config = parseConfig({ ...SMALL, norm });
    const settings = { ...SETTINGS, trainable_backbone_layers: layers };
    using network = new TrainingNetwork(initialState(config, 1), config, settings);
    return network.trainable.map(({ name }) => name).filter((name) => name.startsWith('backbone.body.'));
  };
  t.deepEqual(names(0, 'batch'), []);
  t.true(names(3, 'frozen').every((name) => /layer[234].*(conv\d|downsample\.0)\.weight$/.test(name)));
  t.true(names(3, 'batch').includes('backbone.body.layer2.0.bn1.bias'));
  t.false(names(4, 'batch').some((name) => /body\.(conv1|bn1)\./.test(name)));
  t.true(names(5, 'batch').includes('backbone.body.bn1.weight'));
  t.false(names(5, 'batch').some((name) => name.includes('running')));
});

const [good] = samples as [TrainingSample];
for (const [what, sample, message] of [
  ['a box without width', { boxes: Float32Array.of(4, 4, 4, 9) }, /positive width and height of picture 701/],
  [
    'a label beyond the classes',
    { labels: Int32Array.of(3) },
    /labels from 1 to 2 of picture 701 but received 3/,
  ],
  ['the background as label', { labels: Int32Array.of(0) }, /labels from 1 to 2/],
  ['masks of another size', { masks: new Uint8Array(5) }, /masks \[1, 96, 96\]/],
] as const) {
  test(`${what} is refused`, async (t) => {
    const config = parseConfig(SMALL);
    using network = new TrainingNetwork(initialState(config, 1), config, SETTINGS);
    const one = {
      ...good,
      boxes: good.boxes.slice(0, 4),
      labels: good.labels.slice(0, 1),
      crowd: good.crowd.slice(0, 1),
      masks: good.masks.slice(0, 96 * 96),
    };
    await t.throwsAsync(lossesOf(network, [{ ...one, ...sample }]), { code: 'ERR_NLRCNN_ARGUMENT', message });
  });
}

// Nothing normalises the seeded weights with frozen norms: their losses are large and steep.
for (const [norm, lr] of [
  ['frozen', 1e-4],
  ['batch', 5e-3],
] as const) {
  test(`norm ${norm}: a few steps of SGD on one batch lower the loss`, async (t) => {
    const config = parseConfig({ ...SMALL, norm, non_local_roi: BLOCK });
    using network = new TrainingNetwork(
      norm === 'batch' ? initialState(config, 3) : seededWeights(expectedShapes(config), 9),
      config,
      SETTINGS,
    );
    const parameters = network.trainable.map(({ tensor }) => tensor);
    const zeros = parameters.map(({ shape }) => new Float32Array(shape.reduce((a, b) => a * b, 1)));
    const momentumBuffers = parameters.map(({ shape }, i) => Tensor.from(zeros[i]!, shape));
    const one = Tensor.from(Float32Array.of(1), [1]);
    const totals: number[] = [];
    for (let step = 0; step < 12; step++) {
      const tape = new Tape();
      const losses = await network.losses(tape, { samples }, { seed: 1, step: 0 });
      const total = values(losses);
      const found = tape.backward(Object.values(losses), one);
      const gradients = parameters.map((parameter) => found.get(parameter)!);
      sgd(eager, { parameters, gradients, momentumBuffers }, { lr, momentum: 0.9 });
      for (const gradient of new Set(gradients)) gradient.dispose();
      totals.push((await total).reduce((a, b) => a + b, 0));
    }
    t.true(totals.at(-1)! < 0.7 * totals[0]!, totals.map((value) => value.toFixed(3)).join(' '));
  });
}
