/**
 * Counter-based random numbers: every value is a function of (seed, index), bit-identical to
 * test/goldens/prng.py.
 */

/** 32-bit integer hash (two multiply-xorshift rounds). */
export function hash32(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
}

/** `n` doubles in [0, 1): (hash32(hash32(seed) + i) >>> 8) / 2^24. */
export function unit(seed: number, n: number): Float64Array {
  const start = hash32(seed);
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) out[i] = (hash32((start + i) | 0) >>> 8) / 16777216;
  return out;
}

/** `n` float32 numbers in [lo, hi). */
export function uniform(seed: number, n: number, lo: number, hi: number): Float32Array {
  const start = hash32(seed);
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) out[i] = lo + (hi - lo) * ((hash32((start + i) | 0) >>> 8) / 16777216);
  return out;
}

/** `n` int32 numbers in [lo, hi). */
export function integers(seed: number, n: number, lo: number, hi: number): Int32Array {
  const u = unit(seed, n);
  return Int32Array.from(u, (v) => Math.floor(lo + (hi - lo) * v));
}

/** Draws one number after another from one seed. */
export class Stream {
  readonly #start: number;
  #count = 0;

  constructor(seed: number) {
    this.#start = hash32(seed);
  }

  /** The next double in [0, 1). */
  next(): number {
    return (hash32((this.#start + this.#count++) | 0) >>> 8) / 16777216;
  }

  /** The next integer in [lo, hi). */
  int(lo: number, hi: number): number {
    return Math.floor(lo + (hi - lo) * this.next());
  }

  /** The next choice from a list. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length)]!;
  }
}
