import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Device } from '../../dist/device.js';
import { ops } from '../../dist/ops/internal.js';
import { LossScale } from '../../dist/optim/loss-scale.js';
import { AdamW, type NamedTensor, type Optimizer, SGD } from '../../dist/optim/optimizers.js';
import { WeightAverage } from '../../dist/optim/weight-average.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { sampleStride } from '../helpers/families.js';
import { golden, loadGoldens, relativeError } from '../helpers/goldens.js';
import { makeInput } from '../helpers/inputs.js';

// As in test/goldens/optimizers.py.
const STEPS = 20;
const SEEDS = { parameters: 910000, gradients: 920000 };
const SHAPES: Record<string, number[]> = {
  'conv.weight': [37, 20, 3, 3],
  'conv.bias': [37],
  'fc.weight': [130, 157],
  'fc.bias': [1],
  norm: [9001],
};

interface OptimizerCase {
  name: string;
  optimizer: 'sgd' | 'adamw';
  attrs: {
    lr: number;
    momentum?: number;
    nesterov?: boolean;
    betas?: [number, number];
    eps?: number;
    weight_decay?: number;
    no_decay?: boolean;
    max_norm?: number;
  };
}

const file = join(__dirname, '..', '..', 'test', 'cases', 'optimizers.json');
const cases = JSON.parse(readFileSync(file, 'utf8')) as OptimizerCase[];
const goldens = loadGoldens('optimizers');

function uniform(shape: number[], seed: number, device: Device): Tensor {
  return Tensor.from(makeInput({ shape, seed, lo: -1, hi: 1 }).data, shape, device);
}

function parametersOn(device: Device): NamedTensor[] {
  return Object.entries(SHAPES).map(([name, shape], i) => ({
    name,
    tensor: uniform(shape, SEEDS.parameters + i, device),
  }));
}

function gradientsOf(parameters: readonly NamedTensor[], step: number, device: Device): Map<Tensor, Tensor> {
  return new Map(
    parameters.map(({ name, tensor }, i) => [
      tensor,
      uniform(SHAPES[name]!, SEEDS.gradients + 1000 * step + i, device),
    ]),
  );
}

function make({ optimizer, attrs }: OptimizerCase, parameters: readonly NamedTensor[]): Optimizer {
  const { momentum, nesterov, betas, eps } = attrs;
  const common = {
    ...(attrs.weight_decay !== undefined && { weightDecay: attrs.weight_decay }),
    noDecayOnNormsAndBiases: attrs.no_decay ?? false,
    maxNorm: attrs.max_norm,
  };
  if (optimizer === 'adamw')
    return new AdamW(parameters, { ...common, ...(betas && { betas }), ...(eps && { eps }) });
  return new SGD(parameters, { ...common, ...(momentum && { momentum }), ...(nesterov && { nesterov }) });
}

const read = async (tensor: Tensor) => (await tensor.read()).data as Float32Array;

/** Takes steps `from` to below `to`; gives the norms. */
async function run(
  testCase: OptimizerCase,
  optimizer: Optimizer,
  parameters: readonly NamedTensor[],
  device: Device,
  [from, to]: readonly [number, number],
): Promise<number[]> {
  const norms: number[] = [];
  for (let step = from; step < to; step++) {
    const gradients = gradientsOf(parameters, step, device);
    const { norm, applied } = await optimizer.step(gradients, testCase.attrs.lr * (1 - step / 20));
    if (!applied) throw new Error(`Expected step ${step} to be applied`);
    norms.push(norm);
    for (const gradient of gradients.values()) gradient.dispose();
  }
  return norms;
}

for (const [device, testCase] of onDevices(cases)) {
  test(`${device} ${testCase.name}: twenty steps agree with torch.optim`, async (t) => {
    const parameters = parametersOn(device);
    using optimizer = make(testCase, parameters);
    const norms = await run(testCase, optimizer, parameters, device, [0, STEPS]);
    t.true(relativeError(norms, golden(goldens, `${testCase.name}/norms`).data) <= 1e-6);
    for (const { name, tensor } of parameters) {
      const values = await read(tensor);
      const expected = golden(goldens, `${testCase.name}/${name}`).data;
      const stride = sampleStride(values.length, 256);
      const error = relativeError(
        Array.from(expected, (_, i) => values[i * stride]!),
        expected,
      );
      t.true(error <= 1e-6, `${name}: ${error}`);
    }
  });

  test(`${device} ${testCase.name}: goes on from its state with the same bits`, async (t) => {
    const straight = parametersOn(device);
    using one = make(testCase, straight);
    await run(testCase, one, straight, device, [0, 6]);

    const before = parametersOn(device);
    using first = make(testCase, before);
    await run(testCase, first, before, device, [0, 3]);
    const state = await first.state();
    const after = await Promise.all(
      before.map(async ({ name, tensor }) => ({
        name,
        tensor: Tensor.from(await read(tensor), tensor.shape, device),
      })),
    );
    using second = make(testCase, after);
    second.load(state);
    await run(testCase, second, after, device, [3, 6]);

    for (const [i, { tensor }] of after.entries())
      t.deepEqual(await read(tensor), await read(straight[i]!.tensor));
    t.deepEqual(await second.state(), await one.state());
  });
}

for (const device of DEVICES) {
  const tensor = (...values: number[]) => Tensor.from(Float32Array.from(values), [values.length], device);

  test(`${device} a gradient that is not finite leaves everything as it was`, async (t) => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const testCase of cases.filter(({ name }) => name === 'sgd-momentum' || name === 'adamw')) {
        const parameters = parametersOn(device);
        using optimizer = make(testCase, parameters);
        await run(testCase, optimizer, parameters, device, [0, 2]);
        const values = await Promise.all(parameters.map((parameter) => read(parameter.tensor)));
        const state = await optimizer.state();
        const gradients = gradientsOf(parameters, 2, device);
        const wrong = new Float32Array(9001);
        wrong[9000] = bad;
        gradients.set(parameters[4]!.tensor, Tensor.from(wrong, [9001], device));
        t.false((await optimizer.step(gradients, 0.1)).applied);
        t.deepEqual(await Promise.all(parameters.map((parameter) => read(parameter.tensor))), values);
        t.deepEqual(await optimizer.state(), state);
      }
    }
  });

  test(`${device} gradients whose squares overflow float32 are still finite`, async (t) => {
    const parameter = { name: 'w', tensor: tensor(0) };
    using optimizer = new SGD([parameter], { maxNorm: 1 });
    const { norm, applied } = await optimizer.step(new Map([[parameter.tensor, tensor(1e30)]]), 1);
    t.true(applied);
    t.true(Math.abs(norm / 1e30 - 1) < 1e-6);
    t.true(Math.abs((await read(parameter.tensor))[0]! + 1) < 1e-6);
  });

  test(`${device} a parameter without gradient stays as it is, and no gradients at all are no step`, async (t) => {
    const [a, b] = [
      { name: 'a', tensor: tensor(1, 2) },
      { name: 'b', tensor: tensor(3) },
    ];
    using optimizer = new SGD([a!, b!], { momentum: 0.9, weightDecay: 0.1 });
    await optimizer.step(new Map([[b!.tensor, tensor(1)]]), 1);
    t.deepEqual(await read(a!.tensor), Float32Array.of(1, 2));
    t.true(Math.abs((await read(b!.tensor))[0]! - 1.7) < 1e-6);
    t.deepEqual(await optimizer.step(new Map(), 1), { norm: 0, applied: true });
  });

  test(`${device} the loss scale is divided out, backs off at an overflow and grows again`, async (t) => {
    using lossScale = new LossScale(device, { initial: 8, growthInterval: 2 });
    const parameter = { name: 'w', tensor: tensor(1, 1) };
    using optimizer = new SGD([parameter], { lossScale });
    const scaled = async () => (await read(lossScale.upstream()))[0];
    const step = async (...gradient: number[]) =>
      optimizer.step(new Map([[parameter.tensor, tensor(...gradient)]]), 0.5);
    t.deepEqual(await step(24, 32), { norm: 5, applied: true });
    t.deepEqual(await read(parameter.tensor), Float32Array.of(-0.5, -1));
    t.false((await step(1, Number.POSITIVE_INFINITY)).applied);
    t.is(await scaled(), 4);
    await step(0, 0);
    t.is(await scaled(), 4);
    await step(0, 0);
    t.is(await scaled(), 8);
    t.is((await read(lossScale.upstream(0.25)))[0], 2);
    await step(4, 0);

    using other = new LossScale(device, { growthInterval: 2 });
    using second = new SGD([parameter], { lossScale: other });
    second.load(await optimizer.state());
    t.is((await read(other.upstream()))[0], 8);
    await second.step(new Map([[parameter.tensor, tensor(0, 0)]]), 0.5);
    t.is((await read(other.upstream()))[0], 16);
  });

  test(`${device} what was packed of a weight is made anew after a step`, async (t) => {
    const x = uniform([1, 16, 5, 5], 1, device);
    const weight = uniform([16, 16, 3, 3], 2, device);
    const rows = uniform([4, 8], 3, device);
    const matrix = uniform([16, 8], 4, device);
    const results = async () => [
      await read(ops.conv2d(x, weight, { padding: [1, 1] })),
      await read(ops.linear(rows, matrix)),
    ];
    const before = await results();
    using optimizer = new SGD([
      { name: 'weight', tensor: weight },
      { name: 'matrix', tensor: matrix },
    ]);
    // Each becomes half of what it was.
    const gradients = new Map([
      [weight, ops.scale(weight)],
      [matrix, ops.scale(matrix)],
    ]);
    await optimizer.step(gradients, 0.5);
    for (const [i, values] of (await results()).entries())
      t.true(
        relativeError(
          values,
          before[i]!.map((v) => v / 2),
        ) <= 1e-5,
      );
  });

  test(`${device} a weight average follows its weights, and goes on from its state`, async (t) => {
    const weight = { name: 'w', tensor: tensor(1, 10) };
    using optimizer = new SGD([weight]);
    using average = new WeightAverage([weight], 0.5);
    let expected = [1, 10];
    const update = async (of: WeightAverage, n: number) => {
      await optimizer.step(new Map([[weight.tensor, tensor(1, -1)]]), 1);
      of.update();
      const decay = Math.min(0.5, n / (9 + n));
      const own = await read(weight.tensor);
      expected = expected.map((v, i) => decay * v + (1 - decay) * own[i]!);
    };
    for (let n = 1; n <= 10; n++) await update(average, n);
    t.true(relativeError((await average.state()).get('w')!.data, expected) <= 1e-6);
    using other = new WeightAverage([weight], 0.5);
    other.load(await average.state());
    await update(other, 11);
    t.true(relativeError((await other.state()).get('w')!.data, expected) <= 1e-6);
  });

  test(`${device} wrong states, names and tensors are refused`, async (t) => {
    const parameter = { name: 'w', tensor: tensor(1, 2) };
    using optimizer = new SGD([parameter], { momentum: 0.9 });
    const weights = { code: 'ERR_NLRCNN_WEIGHTS' };
    t.throws(() => optimizer.load(new Map()), {
      ...weights,
      message: 'Expected optimiser state momentum_buffer.w of shape [2] but received none',
    });
    t.throws(
      () => optimizer.load(new Map([['momentum_buffer.w', { shape: [1], data: Float32Array.of(1) }]])),
      weights,
    );
    using average = new WeightAverage([parameter], 0.9);
    t.throws(() => average.load(new Map()), weights);
    t.throws(() => new SGD([parameter, parameter]), { code: 'ERR_NLRCNN_ARGUMENT' });
    t.throws(() => new AdamW([{ name: 'none', tensor: tensor() }]).load(new Map()), weights);
    const wrong = new Map([[parameter.tensor, tensor(1)]]);
    await t.throwsAsync(optimizer.step(wrong, 1), { code: 'ERR_NLRCNN_SHAPE' });
    const right = new Map([[parameter.tensor, tensor(1, 1)]]);
    await t.throwsAsync(optimizer.step(right, -1), { code: 'ERR_NLRCNN_ARGUMENT' });
    await t.throwsAsync(new SGD([parameter], { nesterov: true }).step(right, 1), {
      code: 'ERR_NLRCNN_ARGUMENT',
      message: "Expected momentum above 0 for Nesterov's",
    });
    const [x, window] = [uniform([1, 8, 2, 2], 1, device), { kernel: [1, 1], stride: [1, 1] } as const];
    t.throws(() => ops.axpby(1, [x], 1, [ops.maxPool2d(x, window)]), {
      code: 'ERR_NLRCNN_DTYPE',
      message: 'Expected row-major float32 for y of axpby, which is written in place',
    });
    t.throws(() => ops.axpby(1, [x], 1, [tensor(1)]), { code: 'ERR_NLRCNN_SHAPE' });
    t.throws(() => ops.axpby(1, [], 1, []), { code: 'ERR_NLRCNN_ARGUMENT' });
  });

  test(`${device} axpby adds up in place, more tensors than one launch takes`, async (t) => {
    const to = Array.from({ length: 90 }, (_, i) => tensor(...new Array(i % 3).fill(i)));
    const from = Array.from({ length: 90 }, (_, i) => tensor(...new Array(i % 3).fill(2 * i)));
    t.is((await ops.axpby(0.5, from, 2, to).read()).data[0], 1);
    for (const [i, one] of to.entries()) t.deepEqual(await read(one), new Float32Array(i % 3).fill(3 * i));
  });
}
