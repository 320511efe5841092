import test from 'ava';
import { Tape } from '../../dist/autograd/tape.js';
import { type Device, eager, type OpContext, Recorder } from '../../dist/device.js';
import { ops, opsFor } from '../../dist/ops/internal.js';
import { Tensor } from '../../dist/tensor.js';
import { DEVICES, onDevices } from '../helpers/device.js';
import { makeInput } from '../helpers/inputs.js';

function random(shape: number[], seed: number): Float32Array {
  return makeInput({ shape, seed, lo: -1, hi: 1 }).data as Float32Array;
}

const values = async (tensor: Tensor) => (await tensor.read()).data as Float32Array;

/** Each layer on x of N images or rows: output's shape, weight's shape, the layer and its gradients. */
const LAYERS = {
  conv2d: {
    x: [16, 12, 12],
    weight: [32, 16, 3, 3],
    grad: [32, 12, 12],
    backward: (grad, x, weight, y, count) =>
      ops.conv2dBackward(grad, x, weight, {
        y,
        count,
        padding: [1, 1],
        dx: true,
        dweight: true,
        dbias: true,
      }),
  },
  'conv2d 1x1': {
    x: [24, 5, 3],
    weight: [20, 24, 1, 1],
    grad: [20, 5, 3],
    backward: (grad, x, weight, y, count) =>
      ops.conv2dBackward(grad, x, weight, { y, count, dx: true, dweight: true, dbias: true }),
  },
  conv_transpose2d: {
    x: [16, 3, 4],
    weight: [16, 20, 2, 2],
    grad: [20, 6, 8],
    backward: (grad, x, weight, y, count) =>
      ops.convTranspose2dBackward(grad, x, weight, { y, count, dx: true, dweight: true, dbias: true }),
  },
  linear: {
    x: [20, 3, 3],
    weight: [34, 180],
    grad: [34],
    backward: (grad, x, weight, y, count) =>
      ops.linearBackward(grad, x, weight, { y, count, dx: true, dweight: true, dbias: true }),
  },
} satisfies Record<string, Layer>;

interface Layer {
  x: number[];
  weight: number[];
  grad: number[];
  backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    y: Tensor | undefined,
    count: Tensor | undefined,
  ): { x?: Tensor; weight?: Tensor; bias?: Tensor };
}

const KINDS = Object.entries<Layer>(LAYERS).flatMap(([name, layer]) =>
  [0, 1, 7, 20].flatMap((valid) => [false, true].map((relu) => ({ name, layer, valid, relu }))),
);

for (const [device, { name, layer, valid, relu }] of onDevices(KINDS)) {
  test(`${device} gradients of ${valid} of 20 with ${name}${relu ? ' and a ReLU' : ''} are those of so many alone`, async (t) => {
    const rows = 20;
    const up = (shape: number[], seed: number, hidden: number) => {
      const data = random([rows, ...shape], seed);
      const row = data.length / rows;
      const first = Tensor.from(data.slice(0, valid * row), [valid, ...shape], device);
      data.fill(hidden, valid * row);
      return { first, all: Tensor.from(data, [rows, ...shape], device) };
    };
    const grad = up(layer.grad, 1, NaN);
    const x = up(layer.x, 2, NaN);
    const y = up(layer.grad, 3, Infinity);
    const weight = Tensor.from(random(layer.weight, 4), layer.weight, device);
    const count = Tensor.from(Int32Array.of(valid), [1], device);
    const all = layer.backward(grad.all, x.all, weight, relu ? y.all : undefined, count);
    const alone = layer.backward(grad.first, x.first, weight, relu ? y.first : undefined, undefined);
    const [dx, wanted] = [await values(all.x!), await values(alone.x!)];
    const close = (a: Float32Array, b: Float32Array) => a.every((v, i) => Math.abs(v - b[i]!) <= 2e-4);
    t.true(close(dx.slice(0, wanted.length), wanted));
    t.true(dx.slice(wanted.length).every((v) => v === 0));
    t.true(close(await values(all.weight!), await values(alone.weight!)));
    t.true(close(await values(all.bias!), await values(alone.bias!)));
  });
}

for (const device of DEVICES) {
  test(`${device} what is not needed is not asked for, and a residual shares its gradient without a ReLU`, async (t) => {
    const calls: Record<string, unknown>[] = [];
    const base: OpContext = {
      op(name, inputs, attrs = {}) {
        if (name.endsWith('_backward')) calls.push({ name, ...attrs });
        return eager.op(name, inputs, attrs);
      },
    };
    const make = (...shape: number[]) => Tensor.from(random(shape, shape.length), shape, device);
    const [x, frozen, weight, bias, residual] = [
      make(1, 3, 8, 8),
      make(16, 3, 3, 3),
      make(16, 16, 1, 1),
      make(16),
      make(1, 16, 6, 6),
    ];
    using tape = new Tape(base);
    tape.watch(weight, bias, residual);
    const own = opsFor(tape);
    const y = own.conv2d(own.conv2d(x, frozen), weight, { bias, residual });
    const grad = make(1, 16, 6, 6);
    const grads = tape.backward([y], grad);
    t.is(calls.length, 1);
    t.like(calls[0], { name: 'conv2d_backward', dx: false, dweight: true, dbias: true, dresidual: false });
    t.is(grads.get(residual), grad);
    t.deepEqual(grads.get(weight)!.shape, [16, 16, 1, 1]);
  });

  test(`${device} gradients that a layer does not have are refused`, (t) => {
    const [grad, x, weight] = [
      [1, 2, 4, 4],
      [1, 3, 4, 4],
      [2, 3, 1, 1],
    ].map((shape) => Tensor.from(random(shape, 1), shape, device)) as [Tensor, Tensor, Tensor];
    const argument = { code: 'ERR_NLRCNN_ARGUMENT' };
    t.throws(() => ops.conv2dBackward(grad, x, weight, { dresidual: true }), argument);
    t.throws(() => ops.conv2dBackward(grad, x, weight, {}), argument);
    t.throws(() => eager.op('conv2d_backward', [grad, x, weight], { dx: true, relu: true }), argument);
    t.throws(() => ops.conv2dBackward(x, x, weight, { dx: true }), { code: 'ERR_NLRCNN_SHAPE' });
  });
}

type Forward = (context: OpContext, weight: Tensor, bias: Tensor, device: Device) => Tensor;

/** Layers that keep packed forms of their weights. */
const PACKING: Record<string, { weight: number[]; bias: number[]; run: Forward }> = {
  'a Winograd convolution': {
    weight: [16, 16, 3, 3],
    bias: [16],
    run: (context, weight, bias, device) => {
      const x = Tensor.from(random([1, 16, 40, 40], 7), [1, 16, 40, 40], device);
      return opsFor(context).conv2d(x, weight, { bias, padding: [1, 1] });
    },
  },
  'a transposed convolution': {
    weight: [16, 12, 2, 2],
    bias: [12],
    run: (context, weight, bias, device) => {
      const x = Tensor.from(random([1, 16, 5, 4], 7), [1, 16, 5, 4], device);
      return opsFor(context).convTranspose2d(x, weight, { bias });
    },
  },
  'a linear layer of a map': {
    weight: [8, 54],
    bias: [8],
    run: (context, weight, bias, device) => {
      const x = Tensor.from(random([3, 6, 3, 3], 7), [3, 6, 3, 3], device);
      // Blocked, as a convolution gives it.
      const map = opsFor(context).conv2d(x, Tensor.from(random([6, 6, 1, 1], 8), [6, 6, 1, 1], device));
      return opsFor(context).linear(map, weight, { bias });
    },
  },
  'the block, which merges two of its convolutions': {
    weight: [8, 6, 1, 1],
    bias: [8],
    run: (context, weight, bias, device) => {
      const x = Tensor.from(random([5, 6, 3, 3], 7), [5, 6, 3, 3], device);
      const g3x3 = {
        weight: Tensor.from(random([8, 8, 3, 3], 8), [8, 8, 3, 3], device),
        bias: Tensor.from(random([8], 9), [8], device),
      };
      return opsFor(context).nonLocalRoi(x, { g1x1: { weight, bias }, g3x3 }, { pairwise: 'gaussian' });
    },
  },
};

for (const [device, [name, { weight, bias, run }]] of onDevices(Object.entries(PACKING))) {
  test(`${device} ${name} follows weights that an optimiser writes, op by op and as a plan`, async (t) => {
    const up = (shape: number[], seed: number) => Tensor.from(random(shape, seed), shape, device);
    const own = [up(weight, 1), up(bias, 2)] as [Tensor, Tensor];
    const gradients = [up(weight, 3), up(bias, 4)] as [Tensor, Tensor];
    const planned = (weights: [Tensor, Tensor]) => {
      const recorder = new Recorder(device);
      return recorder.finish([run(recorder, ...weights, device)]);
    };
    const plan = planned(own);
    for (let step = 0; step < 3; step++) {
      const copy = await Promise.all(own.map(values));
      const fresh: [Tensor, Tensor] = [
        Tensor.from(copy[0]!, weight, device),
        Tensor.from(copy[1]!, bias, device),
      ];
      t.deepEqual(await values(run(eager, ...own, device)), await values(run(eager, ...fresh, device)));
      // Winograd's weights are transformed by other code where they do not change, which rounds otherwise.
      const other = planned(fresh);
      const [wanted] = await other.run([]);
      for (let again = 0; again < 2; again++) t.deepEqual((await plan.run([]))[0]!.data, wanted!.data);
      other.dispose();
      ops.sgd({ parameters: own, gradients }, { lr: 0.1 });
    }
    plan.dispose();
  });
}
