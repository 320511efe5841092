import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const CORPUS = join(root, 'test', 'fuzz', 'corpus');

/** Committed inputs of a target, by name. */
export function corpusOf(target) {
  const folder = join(CORPUS, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(join(folder, name)));
}

/** Saves an input that was found to be one, and gives its path. */
export function saveInput(folder, target, bytes) {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${target}-${hash}`);
  writeFileSync(path, bytes);
  return path;
}

/** Where the worker says which input it is at, for who watches it: a count of 8 bytes, a length of 4, the input. */
export const HEAD = 12;
