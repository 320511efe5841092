import type { Augmentation } from './augment.js';
import type { DecodedSample } from './decoded.js';

type Box = [x1: number, y1: number, x2: number, y2: number];

/** Where each position along one axis of the result comes from, along the axis of the source that it runs on. */
interface Axis {
  /** Positions that lie in the picture, from 0; behind them is padding. */
  inside: number;
  /** The two neighbours and the weight of the second: torch's upsample_bilinear2d without align_corners. */
  low: Int32Array;
  high: Int32Array;
  weight: Float64Array;
  /** torch's nearest-exact. */
  nearest: Int32Array;
  /** An interval of the source on this axis, in pixels and unclipped. */
  map(from: number, to: number): [number, number];
}

/** Turns, flips, resizing and crop as one map, axis by axis. */
export interface Geometry {
  width: number;
  height: number;
  /** Whether the result's x runs along the source's y. */
  transposed: boolean;
  x: Axis;
  y: Axis;
}

/** The map from the result back to a picture of this size. */
export function geometryOf(
  source: { width: number; height: number },
  { turns, flipX, flipY, resized, offset, size }: Augmentation,
): Geometry {
  const transposed = turns % 2 === 1;
  const [alongX, alongY] = transposed ? [source.height, source.width] : [source.width, source.height];
  return {
    width: size[1],
    height: size[0],
    transposed,
    x: axisOf(alongX, resized[1], offset[1], size[1], turns >= 2 !== flipX),
    y: axisOf(alongY, resized[0], offset[0], size[0], (turns === 1 || turns === 2) !== flipY),
  };
}

function axisOf(length: number, resized: number, offset: number, size: number, reversed: boolean): Axis {
  const inside = Math.min(size, resized - offset);
  const [low, high, nearest] = [new Int32Array(inside), new Int32Array(inside), new Int32Array(inside)];
  const weight = new Float64Array(inside);
  const place = (i: number) => (reversed ? length - 1 - i : i);
  for (let i = 0; i < inside; i++) {
    const centre = ((i + offset + 0.5) * length) / resized;
    const at = Math.max(centre - 0.5, 0);
    const first = Math.min(Math.floor(at), length - 1);
    low[i] = place(first);
    high[i] = place(Math.min(first + 1, length - 1));
    weight[i] = Math.min(at - first, 1);
    nearest[i] = place(Math.min(Math.floor(centre), length - 1));
  }
  const map = (from: number, to: number): [number, number] => {
    const [a, b] = reversed ? [length - to, length - from] : [from, to];
    return [(a * resized) / length - offset, (b * resized) / length - offset];
  };
  return { inside, low, high, weight, nearest, map };
}

/** A box of the source in the result, not clipped. */
export function mapBox({ x, y, transposed }: Geometry, [x1, y1, x2, y2]: Box): Box {
  const [left, right] = transposed ? x.map(y1, y2) : x.map(x1, x2);
  const [top, bottom] = transposed ? y.map(x1, x2) : y.map(y1, y2);
  return [left, top, right, bottom];
}

/** float32 [H, W, channels] of the source -> of the result. */
export function gatherPixels(
  source: Float32Array,
  width: number,
  channels: number,
  geometry: Geometry,
  fill: number,
): Float32Array {
  const { x, y, transposed } = geometry;
  const out = new Float32Array(geometry.width * geometry.height * channels);
  if (fill !== 0) out.fill(fill);
  const [stepX, stepY] = transposed ? [width * channels, channels] : [channels, width * channels];
  for (let row = 0; row < y.inside; row++) {
    const upper = y.low[row]! * stepY;
    const lower = y.high[row]! * stepY;
    const down = y.weight[row]!;
    let to = row * geometry.width * channels;
    for (let column = 0; column < x.inside; column++) {
      const left = x.low[column]! * stepX;
      const right = x.high[column]! * stepX;
      const across = x.weight[column]!;
      for (let c = 0; c < channels; c++) {
        const above = (1 - across) * source[upper + left + c]! + across * source[upper + right + c]!;
        const below = (1 - across) * source[lower + left + c]! + across * source[lower + right + c]!;
        out[to++] = (1 - down) * above + down * below;
      }
    }
  }
  return out;
}

/** What is left of a sample's objects. */
export interface WarpedMasks {
  /** Which of its instances. */
  kept: number[];
  /** [kept, H, W] of 0 and 1. */
  masks: Uint8Array;
  /** Around the pixels of each. */
  bounds: Box[];
}

/** Masks of the objects that keep a pixel, and where the crop cuts them at least `minArea` pixels. */
export function instanceMasks(sample: DecodedSample, geometry: Geometry, minArea: number): WarpedMasks {
  const { width, height, x, y } = geometry;
  const candidates: number[] = [];
  for (let g = 0; g < sample.labels.length; g++) {
    const [x1, y1, x2, y2] = mapBox(geometry, boundsOf(sample, g));
    if (x1 < x2 && x2 > 0 && y2 > 0 && x1 < x.inside && y1 < y.inside) candidates.push(g);
  }
  const masks = new Uint8Array(candidates.length * height * width);
  const kept: number[] = [];
  const bounds: Box[] = [];
  for (const g of candidates) {
    const at = kept.length * height * width;
    const mask = masks.subarray(at, at + height * width);
    const { area, box } = gatherMask(sample, g, geometry, mask);
    const [x1, y1, x2, y2] = mapBox(geometry, boundsOf(sample, g));
    const cut = x1 < 0 || y1 < 0 || x2 > x.inside || y2 > y.inside;
    if (area === 0 || (cut && area < minArea)) {
      mask.fill(0);
      continue;
    }
    kept.push(g);
    bounds.push(box);
  }
  const used = kept.length * height * width;
  return { kept, masks: used < masks.length ? masks.slice(0, used) : masks, bounds };
}

const boundsOf = ({ bounds }: DecodedSample, g: number) => [...bounds.subarray(4 * g, 4 * g + 4)] as Box;

function gatherMask(
  sample: DecodedSample,
  g: number,
  { width, transposed, x, y }: Geometry,
  out: Uint8Array,
) {
  const [x1, y1, x2, y2] = boundsOf(sample, g);
  const bitmap = bitmapOf(sample, g);
  // The bitmap is column-major from (x1, y1).
  const tall = y2 - y1;
  const [stepX, stepY] = transposed ? [1, tall] : [tall, 1];
  const [columns, rows] = transposed
    ? [within(x.nearest, y1, y2), within(y.nearest, x1, x2)]
    : [within(x.nearest, x1, x2), within(y.nearest, y1, y2)];
  const corner = x1 * tall + y1;
  const box: Box = [width, out.length / width, 0, 0];
  let area = 0;
  for (let row = rows[0]; row < rows[1]; row++) {
    const from = y.nearest[row]! * stepY - corner;
    for (let column = columns[0]; column < columns[1]; column++) {
      if (bitmap[from + x.nearest[column]! * stepX] === 0) continue;
      out[row * width + column] = 1;
      area++;
      if (column < box[0]) box[0] = column;
      if (column >= box[2]) box[2] = column + 1;
      if (row < box[1]) box[1] = row;
      box[3] = row + 1;
    }
  }
  return { area, box };
}

/** Column-major 0 and 1 of the mask's bounds. */
function bitmapOf(sample: DecodedSample, g: number): Uint8Array {
  const { runs, first, height } = sample;
  const [x1, y1, x2, y2] = boundsOf(sample, g);
  const bitmap = new Uint8Array((x2 - x1) * (y2 - y1));
  for (let r = first[g]!; r < first[g + 1]!; r++) {
    let at = runs[2 * r]!;
    const end = at + runs[2 * r + 1]!;
    while (at < end) {
      const column = Math.floor(at / height);
      const stop = Math.min(end, (column + 1) * height);
      const to = (column - x1) * (y2 - y1) - y1 - column * height;
      bitmap.fill(1, to + at, to + stop);
      at = stop;
    }
  }
  return bitmap;
}

/** The positions [from, to) of a rising or falling axis that come from [low, high). */
function within(nearest: Int32Array, low: number, high: number): [number, number] {
  const hit = (value: number) => value >= low && value < high;
  const from = nearest.findIndex(hit);
  return from < 0 ? [0, 0] : [from, nearest.findLastIndex(hit) + 1];
}
