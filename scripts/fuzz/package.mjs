import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { dirname, join } from 'node:path';

/** A module of the package as it is built. */
export const load = (path) => createRequire(import.meta.url)(`../../dist/${path}`);

/** A folder for files that are read by path, beside the worker's board, which who started the worker removes. */
export function scratch(name) {
  const board = process.env.NLRCNN_FUZZ_BOARD;
  const folder = join(board ? dirname(board) : join(os.tmpdir(), `nlrcnn-fuzz-${process.pid}`), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** The path of a file of test/fixtures. */
export const fixture = (path) =>
  join(dirname(createRequire(import.meta.url).resolve('../../package.json')), 'test', 'fixtures', path);
