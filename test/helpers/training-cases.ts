import type { TrainingSample } from '../../dist/datasets/augment.js';
import type { Device } from '../../dist/device.js';
import type { ModelConfig } from '../../dist/models/model-config.js';
import type { SamplingOptions } from '../../dist/train/assigner.js';
import { TrainingNetwork } from '../../dist/train/network.js';
import { DEFAULT_TRAINING, type TrainingSettings } from '../../dist/train/settings.js';
import { parseConfig } from '../../dist/weights/config.js';
import { expectedShapes } from '../../dist/weights/expected.js';
import { type Golden, loadGoldens } from './goldens.js';
import { readJson } from './model-cases.js';
import { uniform, unit } from './random.js';
import { seededWeights } from './seeded-weights.js';

interface Picture {
  height: number;
  width: number;
  seed: number;
  objects: number;
  crowd?: number;
}

/** A case of test/cases/training-networks.json. */
export interface TrainingCase {
  name: string;
  seed: number;
  settings: Partial<TrainingSettings>;
  config: Record<string, unknown>;
  pictures: Picture[];
}

export const TRAINING_CASES = readJson('cases', 'training-networks.json') as TrainingCase[];

/** Seeded pictures with ellipses; the same as ground_truth of test/goldens/training_networks.py. */
export function groundTruth(picture: Picture, classes: number): TrainingSample {
  const { height, width, seed, objects, crowd = 0 } = picture;
  const count = objects + crowd;
  const quarter = (value: number) => Math.floor(4 * value) / 4;
  const boxes = new Float32Array(4 * count);
  const labels = new Int32Array(count);
  const masks = new Uint8Array(count * height * width);
  for (let g = 0; g < count; g++) {
    const u = unit(seed + 1000 * (g + 1), 5) as unknown as [number, number, number, number, number];
    const [least, most] = g >= objects ? [0.4, 0.8] : [0.1, 0.6];
    const w = quarter(width * (least + (most - least) * u[0]));
    const h = quarter(height * (least + (most - least) * u[1]));
    const [x, y] = [quarter((width - w) * u[2]), quarter((height - h) * u[3])];
    boxes.set([x, y, x + w, y + h], 4 * g);
    labels[g] = 1 + Math.floor((classes - 1) * u[4]);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const [dy, dx] = [(i + 0.5 - y) / h - 0.5, (j + 0.5 - x) / w - 0.5];
        masks[(g * height + i) * width + j] = Number(dx * dx + dy * dy <= 0.25);
      }
    }
  }
  return {
    id: seed,
    name: `picture ${seed}`,
    width,
    height,
    channels: 3,
    pixels: uniform(seed, height * width * 3, 0, 1),
    boxes,
    labels,
    masks,
    crowd: Uint8Array.from({ length: count }, (_, g) => Number(g >= objects)),
  };
}

export interface MadeCase {
  config: ModelConfig;
  network: TrainingNetwork;
  samples: TrainingSample[];
}

/** The network of a case with its seeded weights, and its pictures. */
export function makeTrainingCase(testCase: TrainingCase, device: Device): MadeCase {
  const config = parseConfig(testCase.config);
  const state = seededWeights(expectedShapes(config), testCase.seed);
  const settings = { ...DEFAULT_TRAINING, ...testCase.settings };
  return {
    config,
    network: new TrainingNetwork(state, config, settings, device),
    samples: testCase.pictures.map((picture) => groundTruth(picture, config.num_classes)),
  };
}

export interface LoadedCase extends MadeCase {
  goldens: Map<string, Golden>;
  /** What torchvision proposed and sampled. */
  given: NonNullable<SamplingOptions['given']>;
}

export function loadTrainingCase(testCase: TrainingCase, device: Device): LoadedCase {
  const goldens = loadGoldens(`training/${testCase.name}`);
  const sampled = (kind: string) =>
    testCase.pictures.map((_, n) => ({
      positive: goldens.get(`${kind}.${n}.positive`)!.data as Int32Array,
      negative: goldens.get(`${kind}.${n}.negative`)!.data as Int32Array,
    }));
  return {
    ...makeTrainingCase(testCase, device),
    goldens,
    given: {
      anchors: sampled('anchors'),
      proposals: testCase.pictures.map((_, n) => goldens.get(`proposals.${n}`)!.data as Float32Array),
      rois: sampled('rois'),
    },
  };
}
