import { warnOnce } from '../warnings.js';
import { badWeights } from './byte-source.js';

/** Names that older torchvision checkpoints use, and today's. */
const RENAMED: readonly [RegExp, string][] = [
  [/^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$/, '$1.0.$2'],
  [/^rpn\.head\.conv\.(weight|bias)$/, 'rpn.head.conv.0.0.$1'],
  [/^roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)$/, 'roi_heads.mask_head.#$1.0.$2'],
];

/** What torch.compile, FSDP and activation checkpointing put into names, at any place. */
const WRAPPERS = /(^|\.)(?:(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+/g;
/** Where the names of a network begin: of torchvision's Mask R-CNN, and of a ResNet alone. */
const BEGINNINGS = ['backbone.body.conv1.weight', 'conv1.weight'];
/** What is before a network's first stage. */
const STAGE = /^((?:.*\.)?)layer1\.0\./;
/** Of a prefix, as wrappers are put around one another. */
const MAX_PARTS = 16;
/** First parts of a network's own names: no prefix of these is taken off. */
const OWN = /^(backbone|rpn|roi_heads|conv1|bn1|layer[1-4]|fc)\./;

/** Tensors that are no weights: counters of batch norms and of torch.optim.swa_utils.AveragedModel. */
export function isCounter(name: string): boolean {
  return name === 'n_averaged' || name.endsWith('.num_batches_tracked');
}

/**
 * Today's torchvision names of tensors, each with its name in the file. A prefix that wrappers put before all names
 * (`module.` of DataParallel, `_orig_mod.` of torch.compile, `model.` of Lightning, any other) is taken off, with a warning.
 * @throws NlrcnnError ERR_NLRCNN_WEIGHTS where two names become the same, or several prefixes hold a network each.
 */
export function currentNames(names: Iterable<string>, file: string): Map<string, string> {
  const own = new Map<string, string>();
  for (const name of names) addName(own, name.replace(WRAPPERS, '$1'), name, file);
  const prefix = findPrefix([...own.keys()], file);
  const removed = [
    ...(prefix === '' ? [] : [`their prefix "${prefix.slice(0, 200)}"`]),
    ...([...own].some(([now, name]) => now !== name) ? ['what torch.compile or FSDP put into them'] : []),
  ];
  if (removed.length > 0) {
    warnOnce('NLRCNN_PREFIX', `${file}: names are read without ${removed.join(' and without ')}`);
  }
  const current = new Map<string, string>();
  for (const [now, name] of own) {
    const bare = now.startsWith(prefix) ? now.slice(prefix.length) : now;
    addName(current, renamed(bare), name, file);
  }
  return current;
}

function addName(names: Map<string, string>, now: string, name: string, file: string): void {
  const other = names.get(now);
  if (other !== undefined)
    throw badWeights(file, `one tensor of the name ${now} but received ${other} and ${name}`);
  names.set(now, name);
}

/** The prefix before where a network's names begin; else, of names unlike these, what all begin with. */
function findPrefix(names: readonly string[], file: string): string {
  const weights = names.filter((name) => !isCounter(name));
  // A ResNet's blocks have a conv1, too; only a network has stages beside it.
  const stages = new Set(weights.map((name) => STAGE.exec(name)?.[1]));
  for (const beginning of BEGINNINGS) {
    const body = beginning.slice(0, -'conv1.weight'.length);
    const prefixes = weights
      .filter((name) => name === beginning || name.endsWith(`.${beginning}`))
      .map((name) => name.slice(0, -beginning.length))
      .filter((prefix) => stages.has(prefix + body) && !OWN.test(prefix));
    if (prefixes.length === 1 || prefixes.includes('')) return prefixes.includes('') ? '' : prefixes[0]!;
    if (prefixes.length > 1) {
      throw badWeights(
        file,
        `one network but received ${prefixes.length}, with the prefixes ${prefixes.slice(0, 10).join(', ')}: ` +
          'save the tensors of one alone',
      );
    }
  }
  return sharedPrefix(weights);
}

function sharedPrefix(names: readonly string[]): string {
  const [first] = names;
  let prefix = '';
  for (let parts = 0; parts < MAX_PARTS; parts++) {
    if (first === undefined || OWN.test(first.slice(prefix.length))) return prefix;
    const dot = first.indexOf('.', prefix.length);
    // The last part is the tensor's own name.
    if (dot < 0 || first.indexOf('.', dot + 1) < 0) return prefix;
    const longer = first.slice(0, dot + 1);
    if (!names.every((name) => name.startsWith(longer))) return prefix;
    prefix = longer;
  }
  return prefix;
}

function renamed(name: string): string {
  for (const [old, now] of RENAMED) {
    if (old.test(name)) return name.replace(old, now).replace(/#(\d+)/, (_, k) => String(Number(k) - 1));
  }
  return name;
}
