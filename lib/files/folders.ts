import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { removeLeftovers } from './temporaries.js';
import { cannotWrite } from './write-whole.js';

/**
 * Makes a folder for results where it is missing, and removes what a killed run left in it.
 * @throws NlrcnnError ERR_NLRCNN_IO where nothing can be written to it.
 */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await make(resolve(folder));
    await access(folder, constants.W_OK | constants.X_OK);
    await removeLeftovers(folder);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NlrcnnError(
      'ERR_NLRCNN_IO',
      `Expected a folder to write to but ${folder} is none (${code}): choose another --out`,
      { cause },
    );
  }
}

/** Makes a folder and its parents where they are missing. @throws NlrcnnError ERR_NLRCNN_IO. */
export async function makeFolder(folder: string): Promise<void> {
  await make(resolve(folder)).catch((cause) => {
    throw cannotWrite(folder, cause);
  });
}

/** Parents first, one by one: Node's own recursive mkdir never returns from some places, such as /proc. */
async function make(folder: string): Promise<void> {
  if (await isFolder(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) await make(parent);
  try {
    await mkdir(folder);
  } catch (error) {
    // Another process may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await isFolder(folder))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}
