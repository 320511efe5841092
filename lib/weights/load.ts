import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { NlrcnnError } from '../errors.js';
import type { HostParameter } from '../layers/parameters.js';
import type { ModelConfig } from '../models/model-config.js';
import { parseConfig } from './config.js';
import { expectedShapes } from './expected.js';
import { openPytorch } from './pytorch.js';
import { SafetensorsFile } from './safetensors.js';
import type { WeightsFile } from './weights-file.js';

/** The model that is used where none is named. */
export const DEFAULT_MODEL = 'nuclei-r18-fpn128-nl';

const MODELS = join(__dirname, '..', '..', 'models');

/** Names that older torchvision checkpoints use, and today's. */
const RENAMED: readonly [RegExp, string][] = [
  [/^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$/, '$1.0.$2'],
  [/^rpn\.head\.conv\.(weight|bias)$/, 'rpn.head.conv.0.0.$1'],
  [/^roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)$/, 'roi_heads.mask_head.#$1.0.$2'],
];

export interface WeightsSource {
  /** Name of a model that comes with the package. */
  model?: string | undefined;
  /** Path of a `.safetensors` file, or of a PyTorch checkpoint (`.pth`, `.pt`, `.bin`). */
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
 * ERR_NLRCNN_WEIGHTS with every missing, unexpected and wrongly shaped tensor.
 */
export async function loadWeights({ model, weights, config }: WeightsSource): Promise<LoadedWeights> {
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
 * All floats of a weights file by today's torchvision names, whatever network they are of; for fine-tuning (see
 * `adaptState`).
 * @throws NlrcnnError ERR_NLRCNN_IO, ERR_NLRCNN_WEIGHTS.
 */
export async function readStateDict(path: string): Promise<Map<string, HostParameter>> {
  const file = await openWeights(path);
  try {
    const state = new Map<string, HostParameter>();
    for (const [name, { shape }] of file.entries) {
      if (name.endsWith('.num_batches_tracked')) continue;
      state.set(currentName(name), { shape, data: await file.read(name) });
    }
    return state;
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

async function openWeights(path: string): Promise<WeightsFile> {
  const pytorch = ['.pth', '.pt', '.bin'].includes(extname(path));
  return pytorch ? openPytorch(path) : SafetensorsFile.open(path);
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

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_CONFIG', `${path}: expected JSON (${(cause as Error).message})`, {
      cause,
    });
  }
}

function currentName(name: string): string {
  for (const [old, now] of RENAMED) {
    if (old.test(name)) return name.replace(old, now).replace(/#(\d+)/, (_, k) => String(Number(k) - 1));
  }
  return name;
}

async function readState(file: WeightsFile, config: ModelConfig): Promise<Map<string, HostParameter>> {
  const names = new Map([...file.entries.keys()].map((name) => [currentName(name), name]));
  const expected = expectedShapes(config);
  const problems: string[] = [];
  for (const [name, shape] of expected) {
    const own = names.get(name);
    const received = own === undefined ? undefined : file.entries.get(own)!.shape;
    if (!received) problems.push(`missing ${name} [${shape.join(', ')}]`);
    else if (received.join() !== shape.join()) {
      problems.push(`${name} of shape [${shape.join(', ')}] but received [${received.join(', ')}]`);
    }
  }
  for (const name of names.keys()) {
    if (!expected.has(name) && !name.endsWith('.num_batches_tracked')) problems.push(`unexpected ${name}`);
  }
  if (problems.length > 0) {
    const classes = file.entries.get(names.get('roi_heads.box_predictor.cls_score.weight') ?? '')?.shape[0];
    const hint =
      classes !== undefined && classes !== config.num_classes
        ? ` (the weights are of num_classes ${classes}, the config says ${config.num_classes})`
        : '';
    throw new NlrcnnError(
      'ERR_NLRCNN_WEIGHTS',
      `${file.path}: expected the tensors of this config but ${problems.length} differ${hint}:\n  ${problems.join('\n  ')}`,
    );
  }
  const state = new Map<string, HostParameter>();
  for (const [name, shape] of expected) state.set(name, { shape, data: await file.read(names.get(name)!) });
  return state;
}
