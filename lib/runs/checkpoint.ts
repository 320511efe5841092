import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { NlrcnnError } from '../errors.js';
import { removeWhole, writeWholeFolder } from '../files/write-whole.js';
import type { HostParameter } from '../layers/parameters.js';
import { Faults } from '../weights/faults.js';
import { SafetensorsFile } from '../weights/safetensors.js';
import { type StoredTensor, safetensors, type WrittenFile } from '../weights/write-safetensors.js';

/** Named tensors of a checkpoint, each set a file of its own. */
export type TensorSets<T = HostParameter> = Readonly<Record<string, ReadonlyMap<string, T>>>;

/** What goes on from a checkpoint exactly as the run would have gone on. */
export interface Checkpoint<S, T = HostParameter> {
  /** Steps done. */
  step: number;
  /** Everything that is no tensor; JSON. */
  state: S;
  tensors: TensorSets<T>;
}

interface Manifest<S> {
  format: number;
  step: number;
  state: S;
  files: Record<string, WrittenFile>;
}

export interface FoundCheckpoint<S> {
  path: string;
  checkpoint: Checkpoint<S>;
  /** Newer ones that cannot be used, and why. */
  passed: string[];
}

const FORMAT = 1;
const PREFIX = 'checkpoint-';
/** What a killed run of an earlier version left behind: being written, being removed. */
const UNFINISHED = /^\.(writing|removing)-/;
const MANIFEST = 'state.json';

/**
 * Writes `FOLDER/checkpoint-STEP`, which is there whole or not at all and on the disk when this returns. Older ones beyond
 * the newest `keep` are removed afterwards.
 * @throws NlrcnnError ERR_NLRCNN_IO where it cannot be written; what was there before stays.
 */
export async function saveCheckpoint<S>(
  folder: string,
  { step, state, tensors }: Checkpoint<S, StoredTensor>,
  keep: number,
): Promise<string> {
  const name = `${PREFIX}${String(step).padStart(8, '0')}`;
  const path = join(folder, name);
  await writeWholeFolder(path, async (unfinished) => {
    const files: Record<string, WrittenFile> = {};
    for (const [set, values] of Object.entries(tensors)) {
      const file = `${set}.safetensors`;
      files[file] = await unfinished.fill(file, safetensors(values, { step: String(step) }));
    }
    const manifest: Manifest<S> = { format: FORMAT, step, state, files };
    await unfinished.write(MANIFEST, `${JSON.stringify(manifest, null, 1)}\n`);
  });
  for (const old of (await listCheckpoints(folder)).slice(keep)) await removeWhole(join(folder, old));
  return path;
}

/** The newest checkpoint that is whole, read and verified; undefined where there is none. */
export async function latestCheckpoint<S>(folder: string): Promise<FoundCheckpoint<S> | undefined> {
  const passed: string[] = [];
  for (const name of await listCheckpoints(folder)) {
    const path = join(folder, name);
    try {
      return { path, checkpoint: await readCheckpoint<S>(path), passed };
    } catch (error) {
      passed.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (passed.length === 0) return undefined;
  throw new NlrcnnError(
    'ERR_NLRCNN_IO',
    `Expected a checkpoint in ${folder} that can be read but received none: ${passed.join('; ')}`,
  );
}

/** Names, newest first. */
export async function listCheckpoints(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const stepOf = (name: string) => Number(name.slice(PREFIX.length));
  return names
    .filter((name) => name.startsWith(PREFIX) && Number.isInteger(stepOf(name)))
    .sort((a, b) => stepOf(b) - stepOf(a));
}

/** Removes what a killed run left unfinished. */
export async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (UNFINISHED.test(name)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function readCheckpoint<S>(path: string): Promise<Checkpoint<S>> {
  const manifest = JSON.parse(await readFile(join(path, MANIFEST), 'utf8')) as Manifest<S>;
  if (manifest.format !== FORMAT) throw new Error(`format ${manifest.format} is not known`);
  const tensors: Record<string, Map<string, HostParameter>> = {};
  for (const [file, { sha256 }] of Object.entries(manifest.files)) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(path, file)), hash);
    if (hash.digest('hex') !== sha256) throw new Error(`${file} is not as it was written`);
    tensors[file.replace(/\.safetensors$/, '')] = await readTensors(join(path, file));
  }
  return { step: manifest.step, state: manifest.state, tensors };
}

async function readTensors(path: string): Promise<Map<string, HostParameter>> {
  const file = await SafetensorsFile.open(path);
  try {
    const tensors = new Map<string, HostParameter>();
    const faults = new Faults();
    for (const [name, { shape }] of file.entries) {
      const data = await file.read(name);
      faults.look(name, data);
      tensors.set(name, { shape, data });
    }
    faults.check(path);
    return tensors;
  } finally {
    await file.close();
  }
}
