import { checkFour, checkList, checkNumber, checkObject } from '../arguments.js';
import { invalidArgument } from '../errors.js';
import type { ImageInput } from '../images/decode.js';
import { checkSize } from '../masks/rle.js';
import type { Attention, Detection } from '../model.js';
import { blend, type Canvas, type Color, type PaintOptions, paintPicture, toPng } from './canvas.js';
import { Font } from './font.js';
import { captureDetections, drawShape } from './overlay.js';

export interface AttentionOverlayOptions extends PaintOptions {
  /** So many of the others get a line and their weight in numbers. Default: 8 */
  lines?: number | undefined;
}

const CHOSEN: Color = [90, 220, 255];
/** From little to most attention. */
const RAMP: readonly Color[] = [
  [64, 32, 96],
  [176, 40, 96],
  [250, 110, 40],
  [255, 225, 90],
];
/** The picture keeps so much of itself under the drawing. */
const DIMMED = 0.55;
/** RoIs with less than this part of the greatest weight are not drawn. */
const LEAST = 0.02;

/**
 * The picture in gray with each RoI in the colour of how much the chosen one (light blue) attends to it, relative to the most
 * of the others, and lines to those it attends to most; as PNG.
 */
export async function drawAttention(
  image: ImageInput,
  attention: Attention,
  options: AttentionOverlayOptions = {},
): Promise<Buffer> {
  const { lines = 8, ...paint } = checkObject(options, 'an object', 'options');
  checkNumber(lines, 'lines');
  checkAttention(attention);
  // As it is now: the caller may change it while the image is decoded.
  const { roi, head } = attention;
  const rois = attention.rois.map(({ box }) => ({ box: [...box] as Detection['box'] }));
  const weights = [...attention.weights];
  const detections = captureDetections(attention.detections);
  const { canvas, scale, size } = await paintPicture(image, paint);
  for (const { mask } of detections) if (mask) checkSize(mask, size);
  dim(canvas);
  const thickness = Math.max(1, Math.round(Math.max(canvas.width, canvas.height) / 500));
  const others = weights
    .map((weight, index) => ({ weight, index }))
    .filter(({ index }) => index !== roi)
    .sort((a, b) => a.weight - b.weight);
  const most = Math.max(others.at(-1)?.weight ?? 0, Number.MIN_VALUE);
  const shapeOf = (index: number) => (head === 'mask' ? detections[index]! : rois[index]!);
  const shown = others.filter(({ weight }) => weight / most >= LEAST);
  for (const { weight, index } of shown) {
    const part = weight / most;
    drawShape(canvas, shapeOf(index), rampAt(part), scale, thickness, 0.2 + 0.5 * part, 0.3 + 0.7 * part);
  }
  const linked = shown.slice(Math.max(0, shown.length - lines));
  const from = centre(rois[roi]!.box, scale);
  for (const { weight, index } of linked) {
    const width = Math.max(1, (2 * thickness * weight) / most);
    drawLine(canvas, from, centre(rois[index]!.box, scale), rampAt(weight / most), width);
  }
  drawShape(canvas, shapeOf(roi), CHOSEN, scale, 2 * thickness, 0.35);
  await drawWeights(canvas, [{ weight: weights[roi]!, index: roi }, ...linked.reverse()], rois, scale);
  return toPng(canvas);
}

function checkAttention(attention: Attention): void {
  const { roi, head, rois, weights, detections } = checkObject(
    attention,
    'a result of attention',
    'attention',
  );
  if (head !== 'box' && head !== 'mask') throw invalidArgument('box or mask', 'head', head);
  for (const one of checkList(rois, 'RoIs', 'rois'))
    checkFour(checkObject(one, 'an object', 'a RoI').box, 'box');
  for (const weight of checkList(weights, 'numbers', 'weights')) checkNumber(weight, 'a weight');
  checkList(detections, 'detections', 'detections');
  const count = rois.length;
  if (weights.length !== count) throw invalidArgument(`${count} weights, one a RoI,`, 'weights', weights);
  if (head === 'mask' && detections.length !== count) {
    throw invalidArgument(`${count} detections, one a RoI,`, 'detections', detections);
  }
  if (!Number.isInteger(roi) || roi < 0 || roi >= count)
    throw invalidArgument(`an index of ${count} RoIs`, 'roi', roi);
}

function dim({ data }: Canvas): void {
  for (let i = 0; i < data.length; i += 3) {
    const luma = 0.299 * data[i]! + 0.587 * data[i + 1]! + 0.114 * data[i + 2]!;
    data.fill(Math.round(DIMMED * luma), i, i + 3);
  }
}

function rampAt(part: number): Color {
  const at = Math.min(Math.max(part, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  const [a, b] = [RAMP[low]!, RAMP[low + 1]!];
  const mix = (c: 0 | 1 | 2) => Math.round(a[c] + (b[c] - a[c]) * (at - low));
  return [mix(0), mix(1), mix(2)];
}

type Point = readonly [x: number, y: number];

const centre = (box: readonly number[], scale: number): Point => [
  ((box[0]! + box[2]!) / 2) * scale,
  ((box[1]! + box[3]!) / 2) * scale,
];

/** With soft edges. */
function drawLine(canvas: Canvas, [x1, y1]: Point, [x2, y2]: Point, color: Color, width: number): void {
  const length = Math.max(Math.hypot(x2 - x1, y2 - y1), 1e-6);
  const reach = width / 2 + 1;
  const [left, right] = [Math.min(x1, x2) - reach, Math.max(x1, x2) + reach];
  const [top, bottom] = [Math.min(y1, y2) - reach, Math.max(y1, y2) + reach];
  for (let y = Math.max(0, Math.floor(top)); y <= Math.min(canvas.height - 1, bottom); y++) {
    for (let x = Math.max(0, Math.floor(left)); x <= Math.min(canvas.width - 1, right); x++) {
      const along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length ** 2;
      const at = Math.min(Math.max(along, 0), 1);
      const distance = Math.hypot(x - x1 - at * (x2 - x1), y - y1 - at * (y2 - y1));
      const alpha = Math.min(1, reach - distance);
      if (alpha > 0) blend(canvas, x, y, color, 0.9 * alpha);
    }
  }
}

/** Weights by importance, each where no other is. */
async function drawWeights(
  canvas: Canvas,
  linked: readonly { weight: number; index: number }[],
  rois: Attention['rois'],
  scale: number,
): Promise<void> {
  const size = Math.round(Math.min(28, Math.max(13, Math.max(canvas.width, canvas.height) / 55)));
  const font = await Font.load(size);
  const placed: { left: number; upper: number }[] = [];
  for (const { weight, index } of linked) {
    const text = weight.toFixed(3);
    const [x, y] = centre(rois[index]!.box, scale);
    const width = font.measure(text);
    const left = Math.round(Math.min(Math.max(x - width / 2, 3), canvas.width - width - 3));
    const upper = Math.round(Math.min(Math.max(y - size / 2, 0), canvas.height - size));
    if (placed.some((p) => Math.abs(p.left - left) < width + 6 && Math.abs(p.upper - upper) < size)) continue;
    placed.push({ left, upper });
    for (let dy = 0; dy < size; dy++)
      for (let dx = -3; dx < width + 3; dx++) blend(canvas, left + dx, upper + dy, [0, 0, 0], 0.6);
    font.draw(text, left, upper, (px, py, coverage) => blend(canvas, px, py, [255, 255, 255], coverage));
  }
}
