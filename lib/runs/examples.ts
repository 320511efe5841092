import sharp from 'sharp';
import type { Sample } from '../datasets/dataset.js';
import { drawOverlay } from '../draw/overlay.js';
import type { Pixels } from '../images/input.js';
import type { Detection, Segmentation } from '../model.js';
import type { ModelConfig } from '../models/model-config.js';

/** Longest side of each half, pixels. */
const SIDE = 480;
const GAP = 8;

/** Ground truth and prediction of a sample's image (of `imageOf`) side by side, as PNG; detections below `score` are left out. */
export async function drawExample(
  sample: Sample,
  image: Pixels,
  result: Segmentation,
  model: ModelConfig,
  score: number,
): Promise<Buffer> {
  const { width, height, instances } = sample;
  const { input_normalization: normalization, class_names } = model;
  const truth = instances
    .filter(({ crowd }) => !crowd)
    .map(
      ({ label, box, mask, boxOnly }): Detection => ({
        label: class_names[label] ?? String(label),
        labelId: label,
        score: 1,
        box,
        ...(!boxOnly && { mask }),
      }),
    );
  const options = {
    score,
    labels: class_names.length !== 2,
    scale: SIDE / Math.max(width, height),
    percentiles: normalization === 'none' ? undefined : normalization.percentiles,
  };
  const [left, right] = await Promise.all([
    drawOverlay(image, { ...result, detections: truth }, options),
    drawOverlay(image, result, options),
  ]);
  const { width: half, height: tall } = await sharp(left).metadata();
  return sharp({
    create: { width: 2 * half + GAP, height: tall, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .composite([
      { input: left, left: 0, top: 0 },
      { input: right, left: half + GAP, top: 0 },
    ])
    .png()
    .toBuffer();
}
