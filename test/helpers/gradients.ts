import type { Device } from '../../dist/device.js';
import { sampleStride } from './families.js';
import { type GradientGoldens, gradientLimit } from './float32.js';
import { type Golden, loadCases, loadGoldens, type OpCase } from './goldens.js';
import { type InputArray, makeInput } from './inputs.js';

// As in test/goldens/gradients.py.
export const GRADIENT_SEED = 700000;
const SAMPLES = 256;

const goldens = loadGoldens('gradients');

export interface GradientCase {
  testCase: OpCase;
  /** Index among all cases of the op. */
  index: number;
  /** Expected gradients by input, of some of their values. */
  expected: Map<string, Golden>;
  /** How far in norm the gradient of an input may be from the expected one. */
  limit: (input: string, device: Device) => number;
}

/** A case with those of the goldens that are its own. */
export function gradientCase(
  testCase: OpCase,
  index: number,
  op: string,
  from: GradientGoldens,
  all: Map<string, Golden>,
): GradientCase {
  const prefix = `${op}/${testCase.name}.`;
  const own = [...all].filter(([key]) => key.startsWith(prefix));
  return {
    testCase,
    index,
    expected: new Map(own.map(([key, value]) => [key.slice(prefix.length), value])),
    limit: (input, device) => gradientLimit(from, `${prefix}${input}`, device),
  };
}

/** The cases of an op whose gradients are known, without those that have no RoIs. */
export function gradientCases(op: string): GradientCase[] {
  return loadCases(op)
    .map((testCase, index) => gradientCase(testCase, index, op, 'gradients', goldens))
    .filter(({ expected }) => expected.size > 0);
}

/** The upstream gradient of a case. */
export function upstream(index: number, shape: number[]): { shape: number[]; data: InputArray } {
  return makeInput({ shape, seed: GRADIENT_SEED + index, lo: -1, hi: 1 });
}

/** Distance from the expected gradient: in norm, and of the worst element against the largest. */
export function gradientError(actual: ArrayLike<number>, expected: Golden): { norm: number; worst: number } {
  const stride = sampleStride(actual.length, SAMPLES);
  const wanted = expected.data as Float32Array;
  let [difference, size, worst, largest] = [0, 0, 0, 0];
  for (let i = 0; i < wanted.length; i++) {
    const d = Math.abs(actual[i * stride]! - wanted[i]!);
    if (Number.isNaN(d)) return { norm: Infinity, worst: Infinity };
    difference += d * d;
    size += wanted[i]! ** 2;
    worst = Math.max(worst, d);
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return { norm: Math.sqrt(difference / (size || 1)), worst: worst / (largest || 1) };
}
