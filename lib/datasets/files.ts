import { type Dirent, existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, parse, relative } from 'node:path';
import { NlrcnnError } from '../errors.js';

const PICTURES = /\.(jpe?g|png|webp|tiff?)$/i;

/** The first of `candidates` that exists. @throws NlrcnnError ERR_NLRCNN_IO that lists them all. */
export function firstExisting(what: string, candidates: readonly string[]): string {
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new NlrcnnError(
    'ERR_NLRCNN_IO',
    `Expected ${what} at ${candidates.join(' or ')} but there is nothing`,
  );
}

/** UTF-8 text, without a byte-order mark. @throws NlrcnnError ERR_NLRCNN_IO that names the file. */
export async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_IO', `${path} cannot be read (${(cause as Error).message})`, { cause });
  }
}

/** Pictures in a folder and the folders within, sorted, as paths relative to it. @throws NlrcnnError ERR_NLRCNN_IO */
export async function listPictures(folder: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_IO', `Expected a folder of pictures but received ${folder}`, { cause });
  }
  return entries
    .filter((entry) => !entry.isDirectory() && PICTURES.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort(byCodeUnit);
}

/** Pictures of one folder by their names without extension. */
export async function picturesByStem(folder: string): Promise<Map<string, string>> {
  return new Map((await listPictures(folder)).map((path) => [parse(path).name, join(folder, path)]));
}

/** The same order on every machine, unlike localeCompare. */
export const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
