import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { checkFour, checkList, checkMask, checkNumber, checkObject } from '../arguments.js';
import { invalidArgument } from '../errors.js';
import type { ImageInput } from '../images/decode.js';
import { checkSize, decodeRle } from '../masks/rle.js';
import type { Detection, Segmentation } from '../model.js';
import { blend, type Canvas, type Color, type PaintOptions, paintPicture, toPng } from './canvas.js';
import { Font } from './font.js';

export interface OverlayOptions extends PaintOptions {
  /** Only detections of at least this score. */
  score?: number | undefined;
  /** Name and score of each. Default: true */
  labels?: boolean | undefined;
}

const FILL = 0.35;
/** With more objects than this a label is drawn only where it is no wider than its box. */
const FEW = 30;

/**
 * The picture with each object's mask in a colour of its own, contour and label, as PNG.
 * @throws NlrcnnError ERR_NLRCNN_SHAPE where a mask is not of the picture's size, ERR_NLRCNN_ARGUMENT; else as `decodeImage`.
 */
export async function drawOverlay(
  image: ImageInput,
  segmentation: Segmentation,
  options: OverlayOptions = {},
): Promise<Buffer> {
  const { score = 0 } = checkObject(options, 'an object', 'options');
  checkNumber(score, 'score');
  const { detections } = checkObject(segmentation, 'a result of segment', 'the result');
  // As they are now: the caller may change them while the image is decoded.
  const shown = captureDetections(detections).filter(
    (detection) => checkNumber(detection.score, 'score') >= score,
  );
  for (const { label } of shown) {
    if (typeof label !== 'string') throw invalidArgument('a string', 'label', label);
  }
  const { canvas, scale, size } = await paintPicture(image, options);
  const { width, height } = canvas;
  for (const { mask } of shown) if (mask) checkSize(mask, size);
  const thickness = Math.max(1, Math.round(Math.max(width, height) / 700));
  let rested = performance.now();
  for (const [i, detection] of shown.entries()) {
    drawShape(canvas, detection, colorOf(i), scale, thickness);
    if (performance.now() - rested < 8) continue;
    await setImmediate(); // the event loop gets its turn
    rested = performance.now();
  }
  if (options.labels ?? true) await drawLabels(canvas, shown, scale);
  return toPng(canvas);
}

/** A copy of all that is drawn. @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what are no detections. */
export function captureDetections(detections: readonly Detection[]): Detection[] {
  return Array.from(checkList(detections, 'detections', 'detections'), (detection) => {
    const { box, mask, ...rest } = checkObject(detection, 'an object', 'a detection');
    checkFour(box, 'box');
    if (mask) checkMask(mask, 'mask');
    return { ...rest, box: [...box], ...(mask && { mask: { size: [...mask.size], counts: mask.counts } }) };
  });
}

/** Hues a golden angle apart, alternately light and deep. */
function colorOf(index: number): Color {
  const hue = (index * 137.508 + 20) % 360;
  const lightness = [0.6, 0.5, 0.7][index % 3]!;
  const chroma = (1 - Math.abs(2 * lightness - 1)) * 0.95;
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - (chroma / 2) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Fill and contour of a mask, or of the box where there is none. */
export function drawShape(
  canvas: Canvas,
  { box, mask }: Pick<Detection, 'box' | 'mask'>,
  color: Color,
  scale: number,
  thickness: number,
  fill = FILL,
  contour = 1,
): void {
  const [x1, y1, x2, y2] = box.map((v) => Math.round(v * scale)) as Detection['box'];
  const column = (x: number) => Math.min(Math.max(x, 0), canvas.width);
  const row = (y: number) => Math.min(Math.max(y, 0), canvas.height);
  if (!mask) {
    const [left, right, top, bottom] = [column(x1), column(x2), row(y1), row(y2)];
    for (let t = 0; t < thickness; t++) {
      for (let x = left; x < right; x++)
        for (const y of [y1 + t, y2 - 1 - t]) blend(canvas, x, y, color, contour);
      for (let y = top; y < bottom; y++)
        for (const x of [x1 + t, x2 - 1 - t]) blend(canvas, x, y, color, contour);
    }
    return;
  }
  const [height, width] = mask.size;
  const bitmap = decodeRle(mask).data;
  const margin = thickness + Math.ceil(2 * scale);
  const [left, top] = [column(x1 - margin), row(y1 - margin)];
  const [right, bottom] = [column(x2 + margin), row(y2 + margin)];
  const wide = right - left;
  if (!(wide > 0 && bottom > top)) return;
  const inside = new Uint8Array(wide * (bottom - top));
  // Bilinear, so that enlarged outlines are round.
  const value = (x: number, y: number) =>
    bitmap[Math.min(Math.max(y, 0), height - 1) * width + Math.min(Math.max(x, 0), width - 1)]!;
  for (let y = top; y < bottom; y++) {
    const sy = (y + 0.5) / scale - 0.5;
    const fy = Math.floor(sy);
    for (let x = left; x < right; x++) {
      const sx = (x + 0.5) / scale - 0.5;
      const fx = Math.floor(sx);
      const upper = value(fx, fy) * (fx + 1 - sx) + value(fx + 1, fy) * (sx - fx);
      const lower = value(fx, fy + 1) * (fx + 1 - sx) + value(fx + 1, fy + 1) * (sx - fx);
      if (upper * (fy + 1 - sy) + lower * (sy - fy) >= 0.5) inside[(y - top) * wide + x - left] = 1;
    }
  }
  const covered = (x: number, y: number) =>
    x >= left && x < right && y >= top && y < bottom && inside[(y - top) * wide + x - left] === 1;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (!covered(x, y)) continue;
      const t = thickness;
      const border = !covered(x - t, y) || !covered(x + t, y) || !covered(x, y - t) || !covered(x, y + t);
      blend(canvas, x, y, color, border ? contour : fill);
    }
  }
}

/** Labels by falling score, each where no other is, above its box or at its upper edge. */
async function drawLabels(canvas: Canvas, detections: readonly Detection[], scale: number): Promise<void> {
  const size = Math.round(Math.min(28, Math.max(13, Math.max(canvas.width, canvas.height) / 55)));
  const font = await Font.load(size);
  const placed: { x: number; y: number; width: number }[] = [];
  for (const [i, { label, score, box }] of detections.entries()) {
    const text = `${label} ${score.toFixed(2)}`;
    const width = font.measure(text) + 6;
    const [x1, y1, x2] = box.map((v) => Math.round(v * scale)) as Detection['box'];
    if (detections.length > FEW && width > x2 - x1) continue;
    const x = Math.max(0, Math.min(x1, canvas.width - width));
    const y = Math.max(0, y1 - size);
    if (!(y < canvas.height)) continue;
    if (placed.some((p) => x < p.x + p.width && p.x < x + width && Math.abs(p.y - y) < size)) continue;
    placed.push({ x, y, width });
    const color = colorOf(i);
    for (let dy = 0; dy < size; dy++)
      for (let dx = 0; dx < width; dx++) blend(canvas, x + dx, y + dy, color, 0.85);
    const luma = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2];
    const ink: Color = luma > 140 ? [0, 0, 0] : [255, 255, 255];
    font.draw(text, x + 3, y, (px, py, coverage) => blend(canvas, px, py, ink, coverage));
  }
}
