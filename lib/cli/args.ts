import { parseArgs } from 'node:util';

/** Wrong usage: exit code 2. */
export class UsageError extends Error {}

type Options = Record<string, { type: 'string' | 'boolean'; short?: string; multiple?: boolean }>;

type Value<T extends Options[string]> = T['type'] extends 'boolean' ? boolean : string;

interface Parsed<T extends Options> {
  values: { [K in keyof T]?: T[K]['multiple'] extends true ? Value<T[K]>[] : Value<T[K]> };
  positionals: string[];
}

/** `parseArgs`, its errors as usage errors. */
export function parse<const T extends Options>(args: readonly string[], options: T): Parsed<T> {
  try {
    return parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    }) as unknown as Parsed<T>;
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0]);
  }
}

/** A number within [low, high], or undefined where the flag is absent. */
export function numberFlag(
  name: string,
  text: string | undefined,
  low: number,
  high: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && value >= low && value <= high) return value;
  throw new UsageError(`Expected a number from ${low} to ${high} for --${name} but received ${text}`);
}

/** A non-negative integer, or undefined where the flag is absent. */
export function countFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`Expected a non-negative integer for --${name} but received ${text}`);
}

/** Comma-separated values, each one of `known`. */
export function listFlag<T extends string>(name: string, text: string, known: readonly T[]): T[] {
  const values = text.split(',').map((value) => value.trim());
  for (const value of values) {
    if (!known.includes(value as T)) {
      throw new UsageError(`Expected --${name} of ${known.join(', ')} but received ${JSON.stringify(value)}`);
    }
  }
  return values as T[];
}
