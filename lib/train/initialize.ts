import { nameSome } from '../datasets/classes.js';
import { NlrcnnError } from '../errors.js';
import type { HostParameter } from '../layers/parameters.js';
import type { ModelConfig } from '../models/model-config.js';
import { RandomStream } from '../random.js';
import { expectedShapes } from '../weights/expected.js';
import { matchPredictors, type PredictorClasses, rowsOfClass, takeRows } from './predictors.js';

type Fill = (data: Float32Array, stream: RandomStream) => void;

/** Tells this use of a seed from others. */
const STREAM = 0x696e_6974;
/** Of a tensor; the device's limit is 2^31. */
const MAX_VALUES = 2 ** 31 - 1;

/**
 * Weights as torchvision's maskrcnn_resnet50_fpn(weights=None) and PyTorch's layers begin with, drawn from `seed`
 * (32 bits; each tensor from a stream of its own). The block's layers as Wang et al. begin theirs: small, so that RoIs attend
 * to all alike at first (drawn as nn.Conv2d's they soon attend to a single one); w_z zero, so that with fusion `add` the block
 * changes nothing.
 */
export function initialState(config: ModelConfig, seed: number): Map<string, HostParameter> {
  const shapes = expectedShapes(config);
  checkSizes(shapes);
  const state = new Map<string, HostParameter>();
  for (const [name, shape] of shapes) {
    const data = new Float32Array(sizeOf(shape));
    fillOf(name, shape, shapes)(data, new RandomStream(seed ^ STREAM, hashOf(name)));
    state.set(name, { shape, data });
  }
  return state;
}

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Before anything is drawn: ERR_NLRCNN_CONFIG where the config asks for more than an array can hold. */
function checkSizes(shapes: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, shape] of shapes) {
    if (sizeOf(shape) <= MAX_VALUES) continue;
    throw new NlrcnnError(
      'ERR_NLRCNN_CONFIG',
      `Expected tensors of at most ${MAX_VALUES} values but ${name} of this config has shape [${shape.join(', ')}]`,
    );
  }
}

export interface AdaptedState {
  state: Map<string, HostParameter>;
  /** Names that the given weights lacked, or had for other classes: drawn anew. */
  initialised: string[];
  /** Names whose part for x was taken over, that for the block's y being zero. */
  extended: string[];
  /** Names of the given weights that the config has no use for. */
  unused: string[];
  /** What became of the classes, a line each. */
  notes: string[];
}

const BLOCK = /^roi_heads\.(box|mask)_nl\./;
const BODY = 'backbone.body.';
/** Non-local Neural Networks' CONV_INIT_STD. */
const BLOCK_DEVIATION = 0.01;

/**
 * Weights for fine-tuning: `from` (a state dict of torchvision's Mask R-CNN or Faster R-CNN, or of a ResNet alone)
 * where it fits, the rest drawn from `seed`. Predictors keep the rows of classes that `classNames` (of the given weights, the
 * background first) and the config both name; the other rows begin anew, as does the block. Where `classNames` is empty,
 * predictors of as many classes are taken as they are. Behind a concat the new columns are zero, so that a plain Mask R-CNN gives
 * what it gave before.
 *
 * @throws NlrcnnError ERR_NLRCNN_WEIGHTS for tensors of other shapes, and where nothing of `from` is used.
 */
export function adaptState(
  from: ReadonlyMap<string, HostParameter>,
  config: ModelConfig,
  seed: number,
  classNames: readonly string[] = [],
): AdaptedState {
  // Names of another count are not of these weights.
  const rows = from.get('roi_heads.box_predictor.cls_score.bias')?.shape[0];
  const classes = matchPredictors(rows === classNames.length ? classNames : [], config.class_names);
  const body = from.has('layer1.0.conv1.weight') ? BODY : '';
  const given = new Map([...from].map(([name, value]) => [body + name, value]));
  const state = initialState(config, seed);
  const adapted: AdaptedState = { state, initialised: [], extended: [], unused: [], notes: [] };
  let taken = false;
  const problems: string[] = [];
  for (const [name, fresh] of state) {
    const own = given.get(name);
    given.delete(name);
    const perClass = rowsOfClass(name);
    if (own && perClass > 0) {
      const kept = classes ? takeRows(perClass, own, fresh, classes) : sameShape(own, fresh);
      if (kept) state.set(name, kept);
      else adapted.initialised.push(name);
      taken ||= kept !== undefined;
    } else if (!own) adapted.initialised.push(name);
    else if (sameShape(own, fresh)) state.set(name, own);
    else if (isWider(name, own, fresh)) {
      state.set(name, widen(own, fresh));
      adapted.extended.push(name);
    } else
      problems.push(`${name} of shape [${fresh.shape.join(', ')}] but received [${own.shape.join(', ')}]`);
  }
  adapted.unused = [...given.keys()].filter((name) => !name.endsWith('.num_batches_tracked'));
  const missing = adapted.initialised.filter((name) => name.startsWith(BODY));
  problems.push(...missing.map((name) => `missing ${name}`));
  if (problems.length > 0) {
    throw new NlrcnnError(
      'ERR_NLRCNN_WEIGHTS',
      `Expected weights that fit the config but ${problems.length} tensors differ:\n  ${problems.slice(0, 20).join('\n  ')}`,
    );
  }
  if (classes || taken) adapted.notes = classNotes(classes, config.class_names);
  return adapted;
}

const sameShape = (own: HostParameter, fresh: HostParameter): HostParameter | undefined =>
  own.shape.join() === fresh.shape.join() ? own : undefined;

function classNotes(classes: PredictorClasses | undefined, names: readonly string[]): string[] {
  if (!classes) {
    return names.length > 0
      ? [
          `the given weights do not name their classes: taken to be ${nameSome(names.slice(1))}, in this order`,
        ]
      : [];
  }
  const notes: string[] = [];
  if (classes.missing.length > 0)
    notes.push(`classes that the given weights lack, so random: ${nameSome(classes.missing)}`);
  if (classes.unused.length > 0)
    notes.push(`classes of the given weights, but not of the model: ${nameSome(classes.unused)}`);
  return notes;
}

/** Whether `fresh` has more input channels than `own` and is else alike: a layer behind a concat. */
function isWider(name: string, own: HostParameter, fresh: HostParameter): boolean {
  if (!/^roi_heads\.(box_head\.fc6|mask_head\.0\.0)\.weight$/.test(name)) return false;
  const [outputs, inputs, ...kernel] = own.shape;
  return (
    outputs === fresh.shape[0] && inputs! < fresh.shape[1]! && kernel.join() === fresh.shape.slice(2).join()
  );
}

/** `own` in the first columns of each row, zero in the rest. */
function widen(own: HostParameter, { shape, data: { length } }: HostParameter): HostParameter {
  const outputs = shape[0]!;
  const [narrow, wide] = [own.data.length / outputs, length / outputs];
  const data = new Float32Array(length);
  for (let o = 0; o < outputs; o++) data.set(own.data.subarray(o * narrow, (o + 1) * narrow), o * wide);
  return { shape, data };
}

function fillOf(
  name: string,
  shape: readonly number[],
  shapes: ReadonlyMap<string, readonly number[]>,
): Fill {
  const [layer, part] = [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1)];
  if (name.startsWith(BODY)) {
    if (shape.length === 1) return constant(part === 'weight' || part === 'running_var' ? 1 : 0);
    return normal(Math.sqrt(2 / fans(shape).out));
  }
  const bias = part === 'bias';
  if (name.startsWith('backbone.fpn.')) return bias ? constant(0) : uniform(Math.sqrt(3 / fans(shape).in));
  if (name.startsWith('rpn.head.')) return bias ? constant(0) : normal(0.01);
  if (BLOCK.test(name)) {
    return bias || layer.endsWith('.w_z') ? constant(0) : normal(BLOCK_DEVIATION);
  }
  if (name.startsWith('roi_heads.mask_head.'))
    return bias ? constant(0) : normal(Math.sqrt(2 / fans(shape).out));
  if (name.startsWith('roi_heads.mask_predictor.') && !bias) return normal(Math.sqrt(2 / fans(shape).out));
  // nn.Conv2d.reset_parameters and nn.Linear's.
  return uniform(1 / Math.sqrt(fans(bias ? shapes.get(`${layer}.weight`)! : shape).in));
}

/** nn.init._calculate_fan_in_and_fan_out, also for a transposed convolution's weight [in, out, kh, kw]. */
function fans([first, second, ...kernel]: readonly number[]): { in: number; out: number } {
  const places = kernel.reduce((a, b) => a * b, 1);
  return { in: second! * places, out: first! * places };
}

const constant =
  (value: number): Fill =>
  (data) =>
    data.fill(value);

const uniform =
  (bound: number): Fill =>
  (data, stream) => {
    for (let i = 0; i < data.length; i++) data[i] = (2 * stream.next() - 1) * bound;
  };

/** Box and Muller. */
const normal =
  (deviation: number): Fill =>
  (data, stream) => {
    for (let i = 0; i < data.length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - stream.next()));
      const angle = 2 * Math.PI * stream.next();
      data[i] = radius * Math.cos(angle);
      if (i + 1 < data.length) data[i + 1] = radius * Math.sin(angle);
    }
  };

/** FNV-1a, so that a tensor's values depend on its name and not on its place. */
function hashOf(name: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash;
}
