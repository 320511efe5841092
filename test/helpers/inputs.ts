import { integers, uniform, unit } from './random.js';

/** How an input of a case is made; the same as `make_input` of test/goldens/prng.py. */
export interface InputSpec {
  shape: number[];
  /** Default `f32`; integers are uniform in [lo, hi). */
  dtype?: 'f32' | 'i32' | 'u8' | 'u16';
  /** Default `uniform` in [lo, hi). */
  kind?: 'uniform' | 'boxes' | 'rois' | 'ranked';
  /** Literal values, row-major, instead of random ones. */
  data?: number[];
  seed?: number;
  lo?: number;
  hi?: number;
  /** `boxes`, `rois`: centres lie in width × height, sides in [min, max]. */
  width?: number;
  height?: number;
  min?: number;
  max?: number;
  /** `rois`: number of pictures. */
  images?: number;
  /** `ranked`: value = hi - step · (rank · every + phase). */
  step?: number;
  every?: number;
  phase?: number;
}

export type InputArray = Float32Array | Int32Array | Uint8Array | Uint16Array;

/** An input made from its entry: row-major values with their shape. */
export interface Input {
  dtype: 'f32' | 'i32' | 'u8' | 'u16';
  shape: number[];
  data: InputArray;
}

const ARRAYS = { f32: Float32Array, i32: Int32Array, u8: Uint8Array, u16: Uint16Array };

/** The array that an input entry of test/cases/*.json stands for. */
export function makeInput(spec: InputSpec): Input {
  const dtype = spec.dtype ?? 'f32';
  return { dtype, shape: spec.shape, data: values(spec, dtype) };
}

function values(spec: InputSpec, dtype: Input['dtype']): InputArray {
  const { seed = 0, lo = 0, hi = 1 } = spec;
  const n = spec.shape.reduce((a, b) => a * b, 1);
  if (spec.data) return ARRAYS[dtype].from(spec.data);
  if (spec.kind === 'boxes') return boxes(spec);
  if (spec.kind === 'rois') return rois(spec);
  if (spec.kind === 'ranked') return ranked(spec, n);
  if (dtype === 'f32') return uniform(seed, n, lo, hi);
  const ints = integers(seed, n, lo, hi);
  return dtype === 'i32' ? ints : ARRAYS[dtype].from(ints);
}

/** [N, 4] xyxy: centre uniform in width × height, sides min + (max - min) u² (many small, few large). */
function boxes(spec: InputSpec): Float32Array {
  const { seed = 0, width = 0, height = 0, min = 0, max = 0 } = spec;
  const n = spec.shape[0]!;
  const u = unit(seed, 4 * n);
  const out = new Float32Array(4 * n);
  for (let i = 0; i < 4 * n; i += 4) {
    const [cx, cy] = [width * u[i]!, height * u[i + 1]!];
    const w = min + (max - min) * u[i + 2]! * u[i + 2]!;
    const h = min + (max - min) * u[i + 3]! * u[i + 3]!;
    out.set([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], i);
  }
  return out;
}

/** [K, 5] (image, x1, y1, x2, y2): `boxes` with image = floor(i · images / K), so sorted by image. */
function rois(spec: InputSpec): Float32Array {
  const n = spec.shape[0]!;
  const xyxy = boxes(spec);
  const out = new Float32Array(5 * n);
  for (let i = 0; i < n; i++) {
    out[5 * i] = Math.floor((i * spec.images!) / n);
    out.set(xyxy.subarray(4 * i, 4 * i + 4), 5 * i + 1);
  }
  return out;
}

/**
 * Distinct, evenly spaced values in random order; rank 0 is the largest of uniform(seed), equal ones by
 * index.
 */
function ranked(spec: InputSpec, n: number): Float32Array {
  const { seed = 0, hi = 1, step = 1, every = 1, phase = 0 } = spec;
  const u = unit(seed, n);
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => u[b]! - u[a]! || a - b);
  const out = new Float32Array(n);
  order.forEach((index, rank) => {
    out[index] = hi - step * (rank * every + phase);
  });
  return out;
}
