import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { Tape } from '../../dist/autograd/tape.js';
import { eager } from '../../dist/device.js';
import { sgd } from '../../dist/ops/sgd.js';
import { Tensor } from '../../dist/tensor.js';
import { makeTrainingCase, type TrainingCase } from '../../dist-test/helpers/training-cases.js';
import { ROOT } from './cases.js';
import { serve } from './serve.js';

// A training step: forward, backward, SGD; on the same picture each time, sampled anew.
const cases = JSON.parse(readFileSync(join(ROOT, 'bench', 'training.json'), 'utf8')) as TrainingCase[];
const { network, samples } = makeTrainingCase(cases.find(({ name }) => name === process.argv[2])!, 'cpu');
const parameters = network.trainable.map(({ tensor }) => tensor);
const momentumBuffers = parameters.map(({ shape }) =>
  Tensor.from(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
);
const one = Tensor.from(Float32Array.of(1), [1]);
const delay = monitorEventLoopDelay({ resolution: 1 });
let step = 0;

serve(async () => {
  delay.reset();
  delay.enable();
  const start = performance.now();
  const tape = new Tape();
  const losses = Object.values(await network.losses(tape, { samples }, { seed: 1, step: step++ }));
  const values = losses.map((loss) => loss.read());
  const found = tape.backward(losses, one);
  const gradients = parameters.map((parameter) => found.get(parameter)!);
  const options = { lr: 1e-6, momentum: 0.9, weightDecay: 1e-4 };
  using applied = sgd(eager, { parameters, gradients, momentumBuffers }, options);
  await applied.read();
  for (const gradient of new Set(gradients)) gradient.dispose();
  const milliseconds = performance.now() - start;
  delay.disable();
  const loss = (await Promise.all(values)).reduce((sum, { data }) => sum + Number(data[0]), 0);
  return { milliseconds, eventLoopGap: delay.max / 1e6, loss };
});
