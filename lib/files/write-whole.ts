/**
 * The one way in which this package writes files and folders: under another name beside their place, then renamed. Whatever
 * happens (a full disk, an error, a signal, kill -9), each is there whole, with its old content or its new, or not at all.
 */
import { access, constants, type FileHandle, mkdir, open, realpath, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { discard, settle, temporaryIn } from './temporaries.js';

export interface WriteOptions {
  /** Return when it is on the disk (fsync), so that it outlives a power failure. Default: false */
  durable?: boolean;
}

/** Writes the content of a file. */
export type Fill<T> = (file: FileHandle) => Promise<T>;

type Data = string | Uint8Array;

/** What to do about it. */
const REASONS: Record<string, string> = {
  ENOSPC: ': the disk is full',
  EDQUOT: ': the disk quota is used up',
  EFBIG: ': the file is larger than is allowed here',
  EROFS: ': the file system is read-only',
  EACCES: ': permission is missing',
  EPERM: ': permission is missing',
  EISDIR: ': a folder has its name',
  ENOTDIR: ': a file has the name of its folder',
  ENOENT: ': its folder does not exist',
};

/** `Expected to write out/a.json but it failed (ENOSPC): the disk is full`. */
export function cannotWrite(path: string, cause: unknown): NlrcnnError {
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  const message = `Expected to write ${path} but it failed (${code})${REASONS[code] ?? ''}`;
  return new NlrcnnError('ERR_NLRCNN_IO', message, { cause });
}

/**
 * Makes a file, or replaces it, with its mode and owner where they can be kept. A link is followed.
 * @throws NlrcnnError ERR_NLRCNN_IO where it cannot be written; what was there before stays.
 */
export async function writeWhole(path: string, data: Data, options?: WriteOptions): Promise<void> {
  await fillWhole(path, (file) => file.writeFile(data), options);
}

/** As `writeWhole`, its content written by `fill`, whose own errors and result are passed on. */
export async function fillWhole<T>(
  path: string,
  fill: Fill<T>,
  { durable = false }: WriteOptions = {},
): Promise<T> {
  return named(path, async () => {
    const place = await realpath(path).catch(unlessMissing);
    const stats = place === undefined ? undefined : await stat(place);
    // A device or pipe holds nothing that could be replaced, and a folder refuses.
    if (stats && !stats.isFile()) return fillFile(path, 'w', fill, false);
    if (place !== undefined) await access(place, constants.W_OK);
    const target = place ?? path;
    const temporary = temporaryIn(dirname(target));
    try {
      const result = await fillFile(
        temporary,
        'wx',
        async (file) => {
          if (stats) await keepOwnerAndMode(file, stats);
          return fill(file);
        },
        durable,
      );
      await rename(temporary, target);
      settle(temporary);
      if (durable) await syncFolder(dirname(target));
      return result;
    } catch (error) {
      await discard(temporary);
      throw error;
    }
  });
}

/** A folder on its way; its errors name the place that it is meant for. */
export class UnfinishedFolder {
  readonly #temporary: string;

  constructor(
    /** Where it will be. */
    readonly path: string,
    temporary: string,
  ) {
    this.#temporary = temporary;
  }

  /** Writes a file of it and flushes it to the disk. */
  async write(name: string, data: Data): Promise<void> {
    await this.fill(name, (file) => file.writeFile(data));
  }

  async fill<T>(name: string, fill: Fill<T>): Promise<T> {
    return named(join(this.path, name), () => fillFile(join(this.#temporary, name), 'wx', fill, true));
  }
}

/**
 * Makes a folder, or replaces it, and returns when it is on the disk.
 * @throws NlrcnnError ERR_NLRCNN_IO where it cannot be written; what was there before stays.
 */
export async function writeWholeFolder(
  path: string,
  fill: (folder: UnfinishedFolder) => Promise<void>,
): Promise<void> {
  const parent = dirname(path);
  const temporary = temporaryIn(parent);
  try {
    await named(path, () => mkdir(temporary));
    await fill(new UnfinishedFolder(path, temporary));
    await named(path, async () => {
      await syncFolder(temporary);
      await removeWhole(path);
      await rename(temporary, path);
      settle(temporary);
      await syncFolder(parent);
    });
  } catch (error) {
    await discard(temporary);
    throw error;
  }
}

/** Removes a folder or file, if it is there, under another name: a kill on the way leaves no part of it under its own. */
export async function removeWhole(path: string): Promise<void> {
  const temporary = temporaryIn(dirname(path));
  await named(path, () => rename(path, temporary).catch(unlessMissing));
  await discard(temporary);
}

async function fillFile<T>(path: string, flag: 'w' | 'wx', fill: Fill<T>, durable: boolean): Promise<T> {
  const file = await open(path, flag);
  try {
    const result = await fill(file);
    if (durable) await file.sync();
    return result;
  } finally {
    await file.close();
  }
}

async function keepOwnerAndMode(
  file: FileHandle,
  { uid, gid, mode }: { uid: number; gid: number; mode: number },
): Promise<void> {
  const own = await file.stat();
  // Not every file system has owners and modes, and not every user may give files away.
  if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid).catch(() => {});
  if (own.mode !== mode) await file.chmod(mode & 0o7777).catch(() => {});
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Errors of the system as ERR_NLRCNN_IO of `path`; others, such as of what makes the content, as they are. */
async function named<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : cannotWrite(path, error);
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
