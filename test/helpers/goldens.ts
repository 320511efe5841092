import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FamilyEntry, nmsFamily, roiAlignFamily } from './families.js';
import type { InputSpec } from './inputs.js';

/**
 * A case of test/cases/OP.json: how its inputs are made, and the op's attributes under the names of that
 * file.
 */
export interface OpCase {
  name: string;
  inputs: Record<string, InputSpec>;
  // biome-ignore lint/suspicious/noExplicitAny: each op has attributes of its own
  attrs: Record<string, any>;
  /** Where present, the goldens hold every `sample_stride`-th value of each flattened float output. */
  sample_stride?: number;
}

export type GoldenArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/** An expected output, row-major. */
export interface Golden {
  dtype: 'F32' | 'F64' | 'I32' | 'I64' | 'U8';
  shape: number[];
  data: GoldenArray;
}

const ARRAYS = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
};

const TEST_FOLDER = join(__dirname, '..', '..', 'test');
const TINY = 1e-30;

/** The cases of one op, families expanded. */
export function loadCases(op: string): OpCase[] {
  const entries = JSON.parse(readFileSync(join(TEST_FOLDER, 'cases', `${op}.json`), 'utf8')) as (
    | OpCase
    | FamilyEntry
  )[];
  return entries.flatMap((entry) => {
    if (!('family' in entry)) return entry;
    if (op === 'roi_align') return roiAlignFamily(entry);
    if (op === 'nms') return nmsFamily(entry);
    throw new Error(`Expected a family of roi_align or nms but received one of ${op}`);
  });
}

/**
 * The expected outputs of one op by key (`CASE.out`, `CASE.samples`, `CASE.boxes`, …); a reader apart from
 * the library's own.
 */
export function loadGoldens(op: string): Map<string, Golden> {
  const bytes = readFileSync(join(TEST_FOLDER, 'goldens', `${op}.safetensors`));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<
    string,
    { dtype: Golden['dtype']; shape: number[]; data_offsets: [number, number] }
  >;
  const goldens = new Map<string, Golden>();
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (key === '__metadata__') continue;
    // The copy is aligned for any element type, which the file's bytes are not.
    const own = new Uint8Array(bytes.subarray(start + data_offsets[0], start + data_offsets[1]));
    goldens.set(key, { dtype, shape, data: new ARRAYS[dtype](own.buffer) });
  }
  return goldens;
}

/** max|actual - expected| / max|expected|; Infinity where lengths differ or a value is not a number. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let largest = TINY;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(d)) return Infinity;
    if (d > difference) difference = d;
    if (Math.abs(expected[i]!) > largest) largest = Math.abs(expected[i]!);
  }
  return difference / largest;
}

/** A golden that must exist, as numbers (I64 converted). */
export function golden(
  goldens: Map<string, Golden>,
  key: string,
): { shape: number[]; data: Exclude<GoldenArray, BigInt64Array> } {
  const found = goldens.get(key);
  if (!found) throw new Error(`Expected a golden named ${key} but the file has none`);
  const data = found.data instanceof BigInt64Array ? Float64Array.from(found.data, Number) : found.data;
  return { shape: found.shape, data };
}

/**
 * Relative error of a float output against its golden, whether stored whole (`CASE.out`) or as samples
 * (`CASE.samples`; for an output with another name `CASE.NAME` and `CASE.NAME.samples`).
 */
export function outputError(
  goldens: Map<string, Golden>,
  testCase: OpCase,
  actual: ArrayLike<number>,
  output = 'out',
): number {
  const stride = testCase.sample_stride ?? 1;
  const base = `${testCase.name}.${output}`;
  if (stride === 1) return relativeError(actual, golden(goldens, base).data);
  const samples = golden(goldens, output === 'out' ? `${testCase.name}.samples` : `${base}.samples`).data;
  const picked = new Float64Array(Math.ceil(actual.length / stride));
  for (let i = 0; i < picked.length; i++) picked[i] = actual[i * stride]!;
  return relativeError(picked, samples);
}
