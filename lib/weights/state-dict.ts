import { warnOnce } from '../warnings.js';
import { badWeights } from './byte-source.js';
import { Global, Reduced } from './pickle.js';
import { type TensorRef, toTensor } from './pytorch-tensor.js';

/**
 * Where training scripts put the state dict, by falling preference: the weights that were trained, then moving averages
 * of them (torchvision's and timm's scripts, Lightning, Ultralytics, BasicSR).
 */
const KEYS = [
  'model',
  'state_dict',
  'model_state_dict',
  'model_state',
  'net',
  'network',
  'module',
  'weights',
  'params',
  'parameters',
  'model_ema',
  'ema_model',
  'ema_state_dict',
  'model_ema_state_dict',
  'state_dict_ema',
  'ema',
  'params_ema',
];
/** Parts of a training checkpoint whose tensors are no weights. */
const OTHERS = /optim|sched|scaler|loss|callback|loop|rng|hyper|^args$|config/i;
/** Dicts in one another. */
const MAX_DEPTH = 4;
/** Characters of a key in messages. */
const MAX_NAME = 80;

/** A dict of a checkpoint that may be the state dict. */
interface Candidate {
  /** Keys that lead to it: `model`, `state.net`; empty for the checkpoint itself. */
  where: string;
  tensors: Map<string, TensorRef>;
}

/**
 * The tensors of a state dict, or of the one inside a training checkpoint: of several under the names that are in use the
 * preferred one, with a warning. `file` is what errors call it.
 * @throws NlrcnnError ERR_NLRCNN_WEIGHTS where there is none, or several of which none is preferred.
 */
export function findStateDict(root: unknown, file: string): Map<string, TensorRef> {
  const found = candidates(root, '', new Set());
  const [chosen, ...rest] = found.known;
  if (chosen) {
    if (rest.length > 0) {
      const names = rest.map(({ where }) => where).join(', ');
      warnOnce(
        'NLRCNN_STATE_DICT',
        `${file}: the state dict of ${chosen.where} is used; it also holds ${names}`,
      );
    }
    return chosen.tensors;
  }
  if (found.unknown.length === 1) {
    const [{ where, tensors }] = found.unknown as [Candidate];
    warnOnce('NLRCNN_STATE_DICT', `${file}: the state dict of ${where} is used`);
    return tensors;
  }
  if (found.unknown.length > 1) {
    const names = found.unknown.slice(0, 10).map(({ where }) => where);
    throw badWeights(
      file,
      `one state dict but received ${found.unknown.length}: ${names.join(', ')}; save the one to use with ` +
        `torch.save(torch.load(FILE)[${JSON.stringify(names[0])}], "weights.pth")`,
    );
  }
  throw badWeights(file, `a state dict of tensors but received ${describe(root)}`);
}

interface Candidates {
  /** Where names lead, by falling preference, or the value itself. */
  known: Candidate[];
  /** Under names that nobody has agreed on. */
  unknown: Candidate[];
}

/** State dicts within a value. Each dict is looked at once, as a checkpoint may refer to itself. */
function candidates(value: unknown, where: string, seen: Set<unknown>, depth = 0): Candidates {
  const dict = asDict(value);
  if (!dict || depth > MAX_DEPTH || seen.has(dict)) return { known: [], unknown: [] };
  seen.add(dict);
  const below = (key: string) => {
    const name = key.slice(0, MAX_NAME);
    return candidates(dict.get(key), where ? `${where}.${name}` : name, seen, depth + 1);
  };
  const named = KEYS.filter((key) => dict.has(key)).map(below);
  // Of what a key holds the preferred one stands for all.
  const known = named.flatMap((found) => found.known.slice(0, 1));
  if (known.length > 0) return { known, unknown: [] };
  const own = { where, tensors: tensorsOf(dict) };
  if (looksLikeLayers(own)) return { known: [own], unknown: [] };
  const unknown = named.flatMap((found) => found.unknown);
  for (const key of dict.keys()) {
    if (typeof key !== 'string' || KEYS.includes(key) || OTHERS.test(key)) continue;
    const found = below(key);
    for (const candidate of [...found.known.slice(0, 1), ...found.unknown]) {
      if (looksLikeLayers(candidate)) unknown.push(candidate);
    }
  }
  if (unknown.length > 0) return { known: [], unknown };
  // Tensors beside a network that cannot be read are its statistics.
  const alone = own.tensors.size > 0 && named.length === 0;
  return { known: alone ? [own] : [], unknown: [] };
}

/** Names of layers have parts: what else holds tensors (statistics, samples) has none. */
function looksLikeLayers({ tensors }: Candidate): boolean {
  for (const name of tensors.keys()) if (name.includes('.')) return true;
  return false;
}

function tensorsOf(dict: ReadonlyMap<unknown, unknown>): Map<string, TensorRef> {
  const tensors = new Map<string, TensorRef>();
  for (const [name, value] of dict) {
    const tensor = typeof name === 'string' ? toTensor(value) : undefined;
    if (tensor) tensors.set(name as string, tensor);
  }
  return tensors;
}

function asDict(value: unknown): ReadonlyMap<unknown, unknown> | undefined {
  if (value instanceof Reduced) return value.items;
  return value instanceof Map ? value : undefined;
}

/** What a checkpoint is instead, and what to do. */
function describe(root: unknown): string {
  if (Array.isArray(root)) return `a list of ${root.length} values: save the state dict alone`;
  const dict = asDict(root);
  if (!dict) return describeValue(root) ?? 'a single value';
  if (dict.size === 0) return 'an empty dict';
  const entries = [...dict].filter(([key]) => typeof key === 'string') as [string, unknown][];
  for (const [key, value] of entries.filter(([name]) => KEYS.includes(name))) {
    const inner = asDict(value);
    const what = inner ? describeValue([...inner.values()][0]) : describeValue(value);
    if (what) return inner ? `${key}: a dict whose values are each ${what}` : `${key}: ${what}`;
  }
  const first = describeValue(entries[0]?.[1]);
  const names = entries.slice(0, 8).map(([key]) => key.slice(0, 40));
  return `a dict of ${names.join(', ')}${dict.size > names.length ? ', …' : ''}${first ? ` (${names[0]}: ${first})` : ''}`;
}

function describeValue(value: unknown): string | undefined {
  if (!(value instanceof Reduced) || !(value.callable instanceof Global)) return undefined;
  const { path, module } = value.callable;
  if (/^numpy\b/.test(module)) return 'a NumPy array: save PyTorch tensors';
  if (path === 'torch._utils._rebuild_tensor_v2') return 'a tensor: save a state dict';
  const [first] = Array.isArray(value.args) ? (value.args as unknown[]) : [];
  const named = /(_reconstructor|__newobj__)$/.test(path) && first instanceof Global ? first.path : path;
  const module_ = value.state instanceof Map && value.state.has('_modules');
  const advice = module_ ? 'a whole module' : 'an object';
  return `${advice} of ${named.slice(0, 80)}: save its state_dict()`;
}
