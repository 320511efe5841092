import { invalidArgument, NlrcnnError } from './errors.js';

/** Checks of what callers pass, whose types JavaScript does not keep. Each gives the value back. */

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what has no properties to read. */
export function checkObject<T extends object>(value: T, expected: string, name: string): T {
  if (typeof value !== 'object' || value === null) throw invalidArgument(expected, name, value);
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no array; holes count as undefined. */
export function checkList<T>(value: readonly T[], what: string, name: string): readonly T[] {
  if (!Array.isArray(value)) throw invalidArgument(`an array of ${what}`, name, value);
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for NaN and what is no number. */
export function checkNumber(value: number, name: string): number {
  if (typeof value !== 'number' || Number.isNaN(value)) throw invalidArgument('a number', name, value);
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for other than four numbers, NaN and infinity among them. */
export function checkFour<T extends readonly number[]>(value: T, name: string): T {
  if (!Array.isArray(value) || value.length !== 4 || value.some((own) => typeof own !== 'number')) {
    throw invalidArgument('four numbers', name, value);
  }
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for other than four finite numbers. */
export function checkBox<T extends readonly number[]>(value: T, name: string): T {
  checkFour(value, name);
  for (let i = 0; i < 4; i++) {
    if (!Number.isFinite(value[i])) throw invalidArgument('finite numbers', name, value[i]);
  }
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is no string. */
export function checkText(value: string, expected: string, name: string): string {
  if (typeof value !== 'string') throw invalidArgument(expected, name, value);
  return value;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is neither a function nor absent. */
export function checkCallback(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') throw invalidArgument('a function', name, value);
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is neither an AbortSignal nor absent. */
export function checkSignal(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw invalidArgument('an AbortSignal', 'signal', value);
  }
}

/** Pixels of one mask, as the native code has them. */
const MOST_PIXELS = 2 ** 32 - 1;

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for sides that are no integers from `least` on, ERR_NLRCNN_SHAPE for 2^32 pixels or more. */
export function checkSides(height: number, width: number, least: 0 | 1 = 1): void {
  for (const [name, side] of [
    ['height', height],
    ['width', width],
  ] as const) {
    if (!Number.isInteger(side) || side < least) {
      throw invalidArgument(least > 0 ? 'a positive integer' : 'a non-negative integer', name, side);
    }
  }
  if (height * width > MOST_PIXELS) {
    throw new NlrcnnError(
      'ERR_NLRCNN_SHAPE',
      `Expected fewer than 2^32 pixels but received ${height} × ${width}`,
    );
  }
}

/** A mask by its properties; that its runs are sound is checked where they are read. */
interface SizedMask {
  size: readonly number[];
  counts: unknown;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT for what is not `{ size: [height, width], counts }`. */
export function checkMask<T extends SizedMask>(value: T, name: string): T {
  const { size, counts } = checkObject(value, 'a mask { size, counts }', name);
  if (!Array.isArray(size) || size.length !== 2 || size.some((side) => typeof side !== 'number')) {
    throw invalidArgument('[height, width]', `${name}.size`, size);
  }
  if (typeof counts !== 'string') throw invalidArgument('a string', `${name}.counts`, counts);
  return value;
}
