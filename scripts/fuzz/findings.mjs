import { CallersOwn } from './data.mjs';

/** A property that did not hold: always a finding. */
export class Broken extends Error {}

/** Throws where a property of what was accepted does not hold. */
export function ensure(holds, what) {
  if (!holds) throw new Broken(typeof what === 'function' ? what() : what);
}

/** Numbers and quoted texts say nothing of the way that an input took. */
const shape = (text) =>
  String(text)
    .replace(/(["'`]).*?\1/g, '""')
    .replace(/[\w./-]*\/[\w./-]*/g, '/')
    .replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/g, '0')
    .slice(0, 160);

/** What tells outcomes apart: an input with a new one is worth keeping. */
export const signatureOf = (error) => `${error?.code ?? error?.name}: ${shape(error?.message)}`;

/** Whether an error is no refusal: of another kind, or one that says that the package is wrong. */
export function isFinding(error, isNlrcnnError) {
  if (error instanceof CallersOwn) return false;
  return !isNlrcnnError(error) || error.code === 'ERR_NLRCNN_INTERNAL';
}

/** The place in the package that an error came from, so that each fault is reported once. */
export function placeOf(error) {
  const lines = String(error?.stack ?? '').split('\n');
  const own = lines.find((line) => /\/dist\//.test(line)) ?? lines.find((line) => line.includes('targets/'));
  return `${error?.name}: ${shape(error?.message)} ${own?.trim() ?? ''}`;
}
