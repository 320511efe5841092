import type { OpCase } from './goldens.js';
import { Stream, unit } from './random.js';

/** An entry of test/cases/OP.json that stands for many generated cases. */
export interface FamilyEntry {
  family: 'random';
  count: number;
  seed: number;
}

/** Expands a family entry of `roi_align`; the same as `roi_align_family` of test/goldens/prng.py. */
export function roiAlignFamily(entry: FamilyEntry): OpCase[] {
  return Array.from({ length: entry.count }, (_, c) => {
    const s = new Stream(entry.seed + c);
    const aligned = s.int(0, 2) === 1;
    const samplingRatio = s.int(0, 4);
    const size = s.pick([
      [1, 1],
      [7, 7],
      [14, 14],
      [3, 5],
    ] as const);
    const channels = s.pick([1, 5, 16, 20, 64]);
    const batch = s.int(1, 4);
    const h = s.int(1, 51);
    const w = s.int(1, 42);
    const scale = s.pick([1, 0.25, 0.0625]);
    const count = s.int(1, 5);
    const data: number[] = [];
    for (let k = 0; k < count; k++) {
      data.push(s.int(0, batch), ...roiOfKind((c + k) % 8, s, w, h).map((v) => Math.fround(v / scale)));
    }
    return {
      name: `random-${c}`,
      inputs: {
        x: { shape: [batch, channels, h, w], seed: entry.seed + 100000 + c, lo: -0.2, hi: 1 },
        rois: { shape: [count, 5], data },
      },
      attrs: { spatial_scale: scale, output_size: [...size], sampling_ratio: samplingRatio, aligned },
      sample_stride: sampleStride(count * channels * size[0] * size[1], 192),
    };
  });
}

/**
 * [x1, y1, x2, y2] in feature pixels; 0 inside, 1 across the border, 2 outside, 3 zero area, 4 one pixel, 5
 * whole map, 6 inverted (both axes), 7 zero width.
 */
function roiOfKind(kind: number, s: Stream, w: number, h: number): [number, number, number, number] {
  const [a, b, c, d] = [s.next(), s.next(), s.next(), s.next()];
  if (kind === 1) {
    const [x, y] = [(2 * a - 0.75) * w, (2 * b - 0.75) * h];
    return [x, y, x + 1.2 * c * w, y + 1.2 * d * h];
  }
  if (kind === 2) {
    const [x, y] = c < 0.5 ? [w + 2 + a * w, b * h] : [a * w, -3 - 2 * h - b * h];
    return [x, y, x + c * w, y + d * h];
  }
  if (kind === 3) return [a * w, b * h, a * w, b * h];
  if (kind === 4) {
    const [x, y] = [Math.floor(a * w), Math.floor(b * h)];
    return [x, y, x + 1, y + 1];
  }
  if (kind === 5) return [0, 0, w, h];
  const [x1, y1] = [0.6 * a * w, 0.6 * b * h];
  const [x2, y2] = [x1 + c * (w - x1), y1 + d * (h - y1)];
  if (kind === 6) return [x2, y2, x1, y1];
  return [x1, y1, kind === 7 ? x1 : x2, y2];
}

/**
 * Expands a family entry of `nms`; the same as `nms_family` of test/goldens/prng.py. Scenario = case % 6: 0
 * random boxes, 1 equal scores, 2 copies of few boxes, 3 clusters, 4 with degenerate boxes (zero width, zero
 * area, inverted), 5 small integer coordinates and five score values (IoU exactly at the threshold, many
 * ties).
 */
export function nmsFamily(entry: FamilyEntry): OpCase[] {
  return Array.from({ length: entry.count }, (_, c) => {
    const s = new Stream(entry.seed + c);
    const scenario = c % 6;
    const n = c < 6 ? c : s.pick([s.int(2, 40), s.int(2, 200), s.int(2, 601)]);
    const threshold = s.pick([0.3, 0.5, 0.7]);
    const u = unit(entry.seed + 100000 + c, 6 * n);
    const rows = Array.from({ length: n }, (_, i) => Array.from(u.subarray(6 * i, 6 * i + 6)) as Row);
    return {
      name: `random-${c}`,
      inputs: {
        boxes: { shape: [n, 4], data: rows.flatMap((_, i) => nmsBox(scenario, rows, i).map(Math.fround)) },
        scores: { shape: [n], data: rows.map((row) => Math.fround(nmsScore(scenario, row[4]))) },
      },
      attrs: { iou_threshold: threshold },
    };
  });
}

type Row = [number, number, number, number, number, number];

function nmsBox(scenario: number, rows: Row[], i: number): number[] {
  let row = rows[i]!;
  if (scenario === 2) row = rows[Math.floor(row[5] * row[5] * rows.length)]!;
  let [x, y, w, h] = [200 * row[0], 150 * row[1], 5 + 80 * row[2], 5 + 80 * row[3]];
  if (scenario === 3) {
    const centre = rows[i % 7 < rows.length ? i % 7 : 0]!;
    [x, y] = [200 * centre[0] + 12 * row[0], 150 * centre[1] + 12 * row[1]];
    [w, h] = [40 + 10 * row[2], 40 + 10 * row[3]];
  } else if (scenario === 4 && row[5] < 0.4) {
    if (row[5] < 0.1) w = 0;
    else if (row[5] < 0.2) w = h = 0;
    else if (row[5] < 0.3) w = -w;
    else [w, h] = [-w, -h];
    if (row[5] < 0.2) [x, y] = [Math.floor(4 * row[0]), Math.floor(4 * row[1])];
  } else if (scenario === 5) {
    [x, y] = [Math.floor(12 * row[0]), Math.floor(12 * row[1])];
    [w, h] = [Math.floor(1 + 10 * row[2]), Math.floor(1 + 10 * row[3])];
  }
  return [x, y, x + w, y + h];
}

function nmsScore(scenario: number, v: number): number {
  if (scenario === 1) return 0.5;
  return scenario === 5 ? Math.floor(5 * v) / 5 : v;
}

/**
 * 1 where total <= limit, else the smallest prime >= max(11, total / limit): no axis is a multiple of it for
 * long.
 */
export function sampleStride(total: number, limit: number): number {
  if (total <= limit) return 1;
  let stride = Math.max(11, Math.ceil(total / limit));
  while (!isPrime(stride)) stride++;
  return stride;
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
