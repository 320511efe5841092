import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalidArgument, NlrcnnError } from '../errors.js';
import type { HostParameter } from '../layers/parameters.js';
import type { ModelConfig } from '../models/model-config.js';
import { parseJson } from '../schema.js';
import { badWeights } from './byte-source.js';
import { parseConfig } from './config.js';
import { expectedShapes } from './expected.js';
import { Faults } from './faults.js';
import { currentNames, isCounter } from './names.js';
import { openWeights } from './open.js';
import { isFloat, type WeightsFile } from './weights-file.js';

/** The model that is used where none is named. */
export const DEFAULT_MODEL = 'nuclei-r18-fpn128-nl';

/** Differences that an error lists; a network of 152 layers has about 1000 tensors. */
const MAX_LISTED = 100;

const MODELS = join(__dirname, '..', '..', 'models');

export interface WeightsSource {
  /** Name of a model that comes with the package. */
  model?: string | undefined;
  /** Path of a safetensors file or a PyTorch checkpoint, told by its content: any name will do. */
  weights?: string | undefined;
  /** Path of a config.json, or the config itself; default: beside the weights, or in their metadata. */
  config?: string | Record<string, unknown> | undefined;
}

export interface LoadedWeights {
  /** What results are labelled with. */
  name: string;
  config: ModelConfig;
  state: Map<string, HostParameter>;
}

/** Names of the models that come with the package. */
export function bundledModels(): string[] {
  return readdirSync(MODELS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'samples')
    .map((entry) => entry.name);
}

/**
 * Config and float32 weights of a model.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for an unknown model, ERR_NLRCNN_CONFIG, ERR_NLRCNN_IO, and
 * ERR_NLRCNN_WEIGHTS with every missing, unexpected and wrongly shaped tensor, or with those that hold NaN or infinity.
 */
export async function loadWeights({ model, weights, config }: WeightsSource): Promise<LoadedWeights> {
  checkSource({ model, weights, config });
  if (model !== undefined && weights !== undefined) {
    throw new NlrcnnError(
      'ERR_NLRCNN_ARGUMENT',
      'Expected either a model or a weights file but received both',
    );
  }
  const name = weights ?? model ?? DEFAULT_MODEL;
  if (weights === undefined && !bundledModels().includes(name)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_ARGUMENT',
      `Expected one of the models ${bundledModels().join(', ')} but received ${name}`,
    );
  }
  const path = weights ?? join(MODELS, name, 'weights.safetensors');
  const file = await openWeights(path);
  try {
    const parsed = parseConfig(await findConfig(file, config));
    return { name, config: parsed, state: await readState(file, parsed) };
  } finally {
    await file.close();
  }
}

/**
 * All parameters of a weights file by today's torchvision names, whatever network they are of; for fine-tuning (see
 * `adaptState`).
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_WEIGHTS, also for NaN, infinity and negative variances.
 */
export async function readStateDict(path: string): Promise<Map<string, HostParameter>> {
  const file = await openWeights(path);
  try {
    const names = currentNames(file.entries.keys(), file.path);
    for (const [name, own] of names) if (isLeftOut(name, file.entries.get(own)!.dtype)) names.delete(name);
    return await readTensors(file, names);
  } finally {
    await file.close();
  }
}

/**
 * Names of the classes of a weights file, the background first: as the config.json beside it or its metadata have them. Empty
 * where neither names any.
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_WEIGHTS, and ERR_NLRCNN_CONFIG for a config that is no JSON.
 */
export async function readClassNames(path: string): Promise<string[]> {
  const file = await openWeights(path);
  try {
    const config = await findConfig(file, undefined).catch((error: NlrcnnError) => {
      if (error.code !== 'ERR_NLRCNN_IO') throw error;
    });
    const names = (config as { class_names?: unknown } | null | undefined)?.class_names;
    return Array.isArray(names) ? names.map(String) : [];
  } finally {
    await file.close();
  }
}

/** Counters, and buffers of integers; a layer's own parameter that is none of floats is refused when it is read. */
function isLeftOut(name: string, dtype: string): boolean {
  return isCounter(name) || (!isFloat(dtype) && !/\.(weight|bias|running_mean|running_var)$/.test(name));
}

function checkSource({ model, weights, config }: WeightsSource): void {
  if (model !== undefined && typeof model !== 'string')
    throw invalidArgument('the name of a model', 'model', model);
  if (weights !== undefined && typeof weights !== 'string')
    throw invalidArgument("a file's path", 'weights', weights);
  if (config !== undefined && typeof config !== 'string' && typeof config !== 'object')
    throw invalidArgument("a file's path or an object", 'config', config);
}

async function findConfig(file: WeightsFile, config: WeightsSource['config']): Promise<unknown> {
  if (typeof config === 'object') return config;
  const beside = join(dirname(file.path), 'config.json');
  const embedded = file.metadata['nlrcnn.config'];
  const path = config ?? beside;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (config === undefined && embedded !== undefined)
      return parseJson(embedded, `${file.path} (nlrcnn.config)`);
    const { code } = cause as NodeJS.ErrnoException;
    throw new NlrcnnError('ERR_NLRCNN_IO', `Expected a config.json but ${path} cannot be read (${code})`, {
      cause,
    });
  }
  return parseJson(text, path);
}

async function readState(file: WeightsFile, config: ModelConfig): Promise<Map<string, HostParameter>> {
  const names = currentNames(file.entries.keys(), file.path);
  const expected = expectedShapes(config);
  const problems = differences(file, names, expected);
  if (problems.length > 0) {
    throw badWeights(
      file.path,
      `the tensors of this config but ${problems.length} differ${hint(file, names, expected, config)}:\n  ${problems.slice(0, MAX_LISTED).join('\n  ')}${problems.length > MAX_LISTED ? `\n  … and ${problems.length - MAX_LISTED} more` : ''}`,
    );
  }
  const wanted = new Map([...expected.keys()].map((name) => [name, names.get(name)!]));
  return readTensors(file, wanted, config.norm_eps);
}

function differences(
  { entries }: WeightsFile,
  names: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, readonly number[]>,
): string[] {
  const problems: string[] = [];
  for (const [name, shape] of expected) {
    const own = names.get(name);
    const entry = own === undefined ? undefined : entries.get(own)!;
    if (!entry) problems.push(`missing ${name} [${shape.join(', ')}]`);
    else if (!isFloat(entry.dtype)) problems.push(`${name} of floats but received ${entry.dtype}`);
    else if (entry.shape.join() !== shape.join()) {
      problems.push(`${name} of shape [${shape.join(', ')}] but received [${entry.shape.join(', ')}]`);
    }
  }
  for (const name of names.keys()) {
    if (!expected.has(name) && !isCounter(name)) problems.push(`unexpected ${name.slice(0, 200)}`);
  }
  return problems;
}

/** What the differences come from, where that can be told. */
function hint(
  { entries }: WeightsFile,
  names: ReadonlyMap<string, string>,
  expected: ReadonlyMap<string, readonly number[]>,
  config: ModelConfig,
): string {
  const classes = entries.get(names.get('roi_heads.box_predictor.cls_score.weight') ?? '')?.shape[0];
  if (classes !== undefined && classes !== config.num_classes)
    return ` (the weights are of num_classes ${classes}, the config says ${config.num_classes})`;
  if ([...expected.keys()].some((name) => names.has(name))) return '';
  const some = [...names.keys()].slice(0, 3).map((name) => name.slice(0, 80));
  return ` (none of its names is one of torchvision's Mask R-CNN; they are ${some.join(', ')}, …)`;
}

/** The tensors of `names` (each with its name in the file), which are checked to be sound. */
async function readTensors(
  file: WeightsFile,
  names: ReadonlyMap<string, string>,
  normEps?: number,
): Promise<Map<string, HostParameter>> {
  const state = new Map<string, HostParameter>();
  const faults = new Faults(normEps);
  // A tensor is looked at while the next one is read: that costs no time of its own.
  const entries = [...names];
  let next = entries[0] && file.read(entries[0][1]);
  for (const [i, [name, own]] of entries.entries()) {
    const data = await next!;
    next = entries[i + 1] && file.read(entries[i + 1]![1]);
    // Awaited in the next turn, where its error is thrown.
    next?.catch(() => {});
    faults.look(name, data);
    state.set(name, { shape: file.entries.get(own)!.shape, data });
  }
  faults.check(file.path);
  return state;
}
