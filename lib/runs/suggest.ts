import type { Dataset } from '../datasets/dataset.js';
import { decodeImage } from '../images/decode.js';

/** What a few pictures of a data set tell about all. */
export interface DataSurvey {
  pictures: number;
  /** Of those looked into: the short side, [10 %, median, 90 %] of them. */
  shortSide: [number, number, number];
  /** Greatest ratio of long to short side. */
  aspect: number;
  /** Square roots of the objects' areas in pixels of the picture, [5 %, median, 95 %] of them; zeros without objects. */
  objectSize: [number, number, number];
  /** Most objects of one picture. */
  mostObjects: number;
  gray: boolean;
  /** More than 8 bits. */
  deep: boolean;
  /** Every object has one. */
  masks: boolean;
}

/** Pictures looked into. */
const SAMPLES = 60;

/** Looks into pictures spread over a data set; those that cannot be read are passed over. */
export async function surveyDataset(dataset: Dataset): Promise<DataSurvey> {
  const count = Math.min(SAMPLES, dataset.length);
  const sides: number[] = [];
  const sizes: number[] = [];
  let [aspect, mostObjects, gray, deep, masks] = [1, 0, true, false, true];
  let failure: unknown;
  for (let i = 0; i < count; i++) {
    try {
      const sample = await dataset.sample(Math.floor((i * dataset.length) / count));
      const { data, channels } = await decodeImage(sample.image, { orient: sample.exif !== 'ignore' });
      sides.push(Math.min(sample.width, sample.height));
      aspect = Math.max(
        aspect,
        Math.max(sample.width, sample.height) / Math.min(sample.width, sample.height),
      );
      masks &&= !sample.instances.some(({ boxOnly }) => boxOnly);
      const objects = sample.instances.filter(({ crowd }) => !crowd);
      mostObjects = Math.max(mostObjects, objects.length);
      for (const { box } of objects) sizes.push(Math.sqrt((box[2] - box[0]) * (box[3] - box[1])));
      gray &&= channels === 1 || isGray(data);
      deep ||= !(data instanceof Uint8Array);
    } catch (error) {
      failure = error;
    }
  }
  if (sides.length === 0) throw failure;
  return {
    pictures: dataset.length,
    shortSide: [quantile(sides, 0.1), quantile(sides, 0.5), quantile(sides, 0.9)],
    aspect,
    objectSize: [quantile(sizes, 0.05), quantile(sizes, 0.5), quantile(sizes, 0.95)],
    mostObjects,
    gray,
    deep,
    masks: masks && (dataset.contents?.boxOnly ?? 0) === 0,
  };
}

/** Short sides that torchvision trains at; larger pictures are made smaller. */
const LARGEST = 800;
/** Objects are seen at this size at least, as far as doubling the picture does it. */
const COMFORTABLE = 32;

/**
 * Settings that fit the pictures, for a run from random weights: sizes at which objects are large enough to tell apart,
 * anchors from the smallest objects on, crops of one size, room for the most crowded picture.
 */
export function suggestConfig(
  survey: DataSurvey,
  classNames: readonly string[],
  data: Record<string, unknown>,
): Record<string, unknown> {
  const { shortSide, objectSize, aspect, mostObjects, gray, deep, masks } = survey;
  const multiple = (value: number, of: number) => Math.max(of, Math.round(value / of) * of);
  const wanted = objectSize[1] > 0 ? COMFORTABLE / objectSize[1] : 1;
  const factor = Math.min(2, Math.max(1, wanted), Math.max(1, LARGEST / shortSide[1]));
  const minSize = Math.min(LARGEST, multiple(shortSide[1] * factor, 32));
  const scale = minSize / shortSide[1];
  const base = Math.min(32, Math.max(8, 2 ** Math.floor(Math.log2(Math.max(1, objectSize[0] * scale)))));
  // Microscopy: turned and mirrored pictures are as likely as the originals, and brightness means nothing.
  const microscopy = gray || deep;
  const small = survey.pictures < 5000;
  const crop = multiple(Math.min(512, minSize / 2 + 64), 32);
  const round = (value: number) => Number(value.toPrecision(2));
  const scales = [0.8 * (minSize / shortSide[2]), 1.25 * (minSize / shortSide[0])].map(round);
  return {
    model: {
      architecture: masks ? 'maskrcnn' : 'fasterrcnn',
      backbone: small ? 'resnet18' : 'resnet50',
      fpn_channels: small ? 128 : 256,
      num_classes: classNames.length,
      class_names: [...classNames],
      norm: 'batch',
      min_size: minSize,
      max_size: multiple(minSize * Math.max(aspect, 5 / 3) + 16, 32),
      ...(microscopy && {
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.25, 0.25, 0.25],
        input_normalization: { percentiles: [1, 99.8] },
      }),
      anchor_sizes: Array.from({ length: 5 }, (_, level) => [base * 2 ** level]),
      box_detections_per_img: Math.max(100, multiple(1.25 * mostObjects, 50)),
      box_head_fc: small ? 512 : 1024,
      mask_head_channels: small ? 128 : 256,
      non_local_roi: {
        heads: masks ? ['box', 'mask'] : ['box'],
        pairwise: 'embedded_gaussian',
        scale: 'rsqrt',
        fusion: 'concat',
      },
    },
    data: {
      ...data,
      augment: {
        horizontal_flip: 0.5,
        ...(microscopy && { vertical_flip: 0.5, rotate90: true }),
        scale: scales,
        brightness: [0.8, 1.2],
        contrast: [0.8, 1.2],
      },
    },
    optimizer: { type: 'adamw', lr: small ? 8e-4 : 2e-4, weight_decay: 0.01, clip_norm: 10 },
    schedule: { type: 'cosine', warmup_steps: 200 },
    sampling: small
      ? { rpn_post_nms_top_n_train: 1000, box_batch_size_per_image: 128 }
      : { box_batch_size_per_image: 256 },
    steps: small ? 4000 : 40000,
    batch_size: 4,
    crop: [crop, crop],
    checkpoint_every: 200,
    evaluate_every: data.val_split === null ? null : 500,
    evaluation: { metrics: microscopy && masks ? ['coco', 'stardist'] : ['coco'] },
  };
}

/** Whether red, green and blue are the same everywhere. */
function isGray(data: ArrayLike<number>): boolean {
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  }
  return true;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(q * (sorted.length - 1))] ?? 0;
}
