import { closest, distance } from 'fastest-levenshtein';
import { NlrcnnError } from './errors.js';

/** Throws where a value is not what a key takes; `path` names the key. */
export type Check = (value: unknown, path: string) => void;

export interface Key<T> {
  fallback: (config: Partial<T>) => unknown;
  check: Check;
  /** The value with what is missing in it filled in; by default as it is. */
  complete?: (value: unknown, path: string) => unknown;
}
export type Schema<T> = { [K in keyof T]-?: Key<T> };

/** Characters of a value in messages. */
const MAX_PREVIEW = 80;
/** Values within a value that a message looks at. */
const MAX_VISITED = 200;
/** Longest key that may be a misspelt one. */
const MAX_KEY = 64;

/** The beginning of a value as JSON, however large, deep or circular it is. */
function preview(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  let visited = 0;
  const brief = (_: string, own: unknown) => {
    if (++visited > MAX_VISITED) return '…';
    if (typeof own === 'string') return own.slice(0, MAX_PREVIEW);
    return typeof own === 'bigint' ? String(own) : own;
  };
  try {
    return (JSON.stringify(value, brief) ?? String(value)).slice(0, MAX_PREVIEW);
  } catch {
    return 'what is no JSON';
  }
}

export function fail(path: string, expected: string, value: unknown): never {
  const message = `Expected ${expected} for ${path} but received ${preview(value)}`;
  throw new NlrcnnError('ERR_NLRCNN_CONFIG', message);
}

export const oneOf =
  (...values: string[]): Check =>
  (value, path) => {
    if (!values.includes(value as string)) fail(path, `one of ${values.join(', ')}`, value);
  };

export const integer =
  (least: number, most = 1e6): Check =>
  (value, path) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      fail(path, `an integer from ${least} to ${most}`, value);
    }
  };

export const number =
  (least: number, most: number): Check =>
  (value, path) => {
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      fail(path, `a number from ${least} to ${most}`, value);
    }
  };

/** An array of `length` (or of at least one, at most `most`) values that each pass. */
export const list =
  (check: Check, length?: number, most = Number.POSITIVE_INFINITY): Check =>
  (value, path) => {
    const wanted = length ?? (most === Number.POSITIVE_INFINITY ? 'one or more' : `1 to ${most}`);
    const fits = Array.isArray(value) && value.length > 0 && value.length <= most;
    if (!fits || (length !== undefined && value.length !== length)) {
      fail(path, `an array of ${wanted} values`, value);
    }
    value.forEach((item, i) => {
      check(item, `${path}[${i}]`);
    });
  };

export const positive: Check = (value, path) => {
  if (typeof value !== 'number' || !(value > 0 && value < 1e6)) fail(path, 'a positive number', value);
};

export const fraction = number(0, 1);

export const strings: Check = (value, path) => {
  if (!Array.isArray(value) || value.some((name) => typeof name !== 'string'))
    fail(path, 'an array of strings', value);
};

/** Null, or what passes. */
export const optional =
  (check: Check): Check =>
  (value, path) => {
    if (value !== null) check(value, path);
  };

export const bool: Check = (value, path) => {
  if (typeof value !== 'boolean') fail(path, 'true or false', value);
};

export const text: Check = (value, path) => {
  if (typeof value !== 'string' || value === '') fail(path, 'a string', value);
};

export const is = (value: unknown) => () => value;

/** A key that holds an object of its own schema. */
export const section = <T>(schema: Schema<T>): Key<unknown> => ({
  fallback: is({}),
  check: () => {},
  complete: (value, path) => fill(value, schema, `${path}.`),
});

/**
 * `value` with defaults where a key is missing.
 * @throws NlrcnnError ERR_NLRCNN_CONFIG for unknown keys and for values that a key does not take.
 */
export function fill<T>(value: unknown, schema: Schema<T>, prefix: string): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    fail(prefix.slice(0, -1) || 'the config', 'an object', value);
  }
  const keys = Object.keys(schema);
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    const near = closest(key.slice(0, MAX_KEY), keys);
    const isNear = key.length <= MAX_KEY && distance(key, near) <= Math.max(2, key.length / 3);
    const hint = isNear ? `; did you mean ${prefix}${near}?` : '';
    const received = `${prefix}${key.slice(0, MAX_PREVIEW)}${hint}`;
    throw new NlrcnnError('ERR_NLRCNN_CONFIG', `Expected a known key but received ${received}`);
  }
  const given = value as Partial<T>;
  const out: Record<string, unknown> = {};
  for (const [key, { fallback, check, complete }] of Object.entries(schema) as [string & keyof T, Key<T>][]) {
    const own = given[key] === undefined ? fallback(given) : given[key];
    check(own, `${prefix}${key}`);
    out[key] = complete ? complete(own, `${prefix}${key}`) : own;
  }
  return out as T;
}

/** The value of a config file. @throws NlrcnnError ERR_NLRCNN_CONFIG that names it where it is no JSON. */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_CONFIG', `${path}: expected JSON (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** JSON as people write it: objects a key a line, arrays on one line. */
export function formatConfig(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return `[${value.map((item) => formatConfig(item)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(
    ([key, own]) => `${inner}${JSON.stringify(key)}: ${formatConfig(own, inner)}`,
  );
  return `{\n${lines.join(',\n')}\n${indent}}`;
}
