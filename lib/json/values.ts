import { NlrcnnError } from '../errors.js';

/** A value of a data set's JSON file that is not what its place takes; the message begins with its path. */
export class ValueError extends NlrcnnError {
  constructor(path: string, expected: string, value: unknown) {
    super('ERR_NLRCNN_DATASET', `${path}: expected ${expected} but received ${show(value)}`);
  }
}

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
const INTEGER = /^(0|-?[1-9]\d*)$/;

/** A finite number, also written as a string; undefined for all else. */
export function toNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && NUMBER.test(value) ? Number(value) : value;
  return Number.isFinite(number) ? (number as number) : undefined;
}

/** 0 or 1, also as false, true or their names; undefined for all else. */
export function toFlag(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
  const number = toNumber(value);
  return number === 0 || number === 1 ? number === 1 : undefined;
}

/** What two ids have in common that are the same: 12 and "12" are. */
export function idKey(id: number | string): number | string {
  return typeof id === 'string' && INTEGER.test(id) && Number.isSafeInteger(Number(id)) ? Number(id) : id;
}

/**
 * The values of one object in a list of a JSON file. What is meant beyond doubt is taken, such as "12" for a number; null counts
 * as absent. All else is a ValueError with the value's path.
 */
export class Fields {
  readonly #list: string;
  readonly #index: number;
  readonly #values: Record<string, unknown>;

  constructor(value: unknown, list: string, index: number) {
    this.#list = list;
    this.#index = index;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ValueError(this.path(), 'an object', value);
    }
    this.#values = value as Record<string, unknown>;
  }

  /** `annotations[17].iscrowd` */
  path(key?: string): string {
    return `${this.#list}[${this.#index}]${key === undefined ? '' : `.${key}`}`;
  }

  /** As in the file; undefined where it is absent or null. */
  get(key: string): unknown {
    return this.#values[key] ?? undefined;
  }

  fail(key: string, expected: string): ValueError {
    return new ValueError(this.path(key), expected, this.#values[key]);
  }

  /** A name for something: an integer that a double holds, or any string. */
  id(key: string): number | string {
    const value = this.get(key);
    if (typeof value === 'string' || Number.isSafeInteger(value)) return value as number | string;
    throw this.fail(key, 'an integer below 2^53 or a string');
  }

  integer(key: string, expected = 'an integer', least = Number.MIN_SAFE_INTEGER): number {
    const value = toNumber(this.get(key));
    if (Number.isSafeInteger(value) && value! >= least) return value!;
    throw this.fail(key, expected);
  }

  number(key: string): number {
    const value = toNumber(this.get(key));
    if (value === undefined) throw this.fail(key, 'a finite number');
    return value;
  }

  /** False where it is absent. */
  flag(key: string): boolean {
    const value = this.get(key);
    if (value === undefined || value === 0) return false;
    const flag = toFlag(value);
    if (flag === undefined) throw this.fail(key, '0 or 1');
    return flag;
  }

  text(key: string): string {
    const value = this.get(key);
    if (typeof value !== 'string' || value === '') throw this.fail(key, 'a string');
    return value;
  }

  /** A list of finite numbers. */
  numbers(key: string): number[] {
    const value = this.get(key);
    if (!Array.isArray(value)) throw this.fail(key, 'a list of numbers');
    return toNumbers(value, this.path(key));
  }
}

/** The list itself where all of it are finite numbers, else a list of what its strings say. */
export function toNumbers(values: readonly unknown[], path: string): number[] {
  if (values.every(Number.isFinite)) return values as number[];
  return values.map((value, i) => {
    const number = toNumber(value);
    if (number === undefined) throw new ValueError(`${path}[${i}]`, 'a finite number', value);
    return number;
  });
}

const SHOWN = 80;

/** A value as JSON has it, shortened. */
export function show(value: unknown): string {
  const text = print(value, 4);
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text;
}

function print(value: unknown, depth: number): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, SHOWN));
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth === 0) return '…';
  if (Array.isArray(value)) {
    return `[${value
      .slice(0, SHOWN)
      .map((item) => print(item, depth - 1))
      .join(',')}]`;
  }
  const entries = Object.entries(value).slice(0, SHOWN);
  return `{${entries.map(([key, item]) => `${print(key, 1)}:${print(item, depth - 1)}`).join(',')}}`;
}
