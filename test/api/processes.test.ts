import test from 'ava';
import { runNode, runScript } from '../helpers/run-node.js';

const SAMPLE = JSON.stringify('models/samples/touching.png');

test('process.exit() in the middle of work is clean', async (t) => {
  for (const milliseconds of [0, 30, 120, 300]) {
    const { code, stderr } = await runScript(`
      nlrcnn.loadModel().then((model) => {
        for (let i = 0; i < 4; i++) model.segment(${SAMPLE});
        setTimeout(() => process.exit(7), ${milliseconds});
      });`);
    t.is(code, 7, stderr);
    t.is(stderr, '');
  }
});

test('a process ends by itself when its work is done, and not before', async (t) => {
  const { code, stdout } = await runScript(`
    nlrcnn.loadModel().then((model) => model.segment(${SAMPLE})).then(({ detections }) => console.log(detections.length > 50));`);
  t.is(code, 0);
  t.is(stdout, 'true\n');
});

test('an op nobody waits for does not keep the process', async (t) => {
  const { code } = await runScript(`
    const x = nlrcnn.Tensor.from(new Float32Array(3 * 512 * 512), [1, 3, 512, 512]);
    const w = nlrcnn.Tensor.from(new Float32Array(64 * 27), [64, 3, 3, 3]);
    for (let i = 0; i < 20; i++) nlrcnn.ops.conv2d(x, w);`);
  t.is(code, 0);
});

test('several worker threads segment at once, and are stopped in the middle', async (t) => {
  const { code, stdout, stderr } = await runNode([
    '-e',
    `
    const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
    const script = \`
      const { parentPort, workerData } = require('node:worker_threads');
      const { loadModel } = require(workerData);
      loadModel().then(async (model) => {
        const first = await model.segment(${SAMPLE.replaceAll('"', "'")});
        parentPort.postMessage(JSON.stringify(first.detections));
        for (;;) await model.segment(${SAMPLE.replaceAll('"', "'")});
      });\`;
    const results = [];
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(script, { eval: true, workerData: require.resolve('./dist/index.js') });
      worker.on('message', async (text) => {
        results.push(text);
        if (results.length < 3) return;
        console.log(new Set(results).size);
      });
      worker.once('message', () => setTimeout(() => worker.terminate(), 700));
    }`,
  ]);
  t.is(code, 0, stderr);
  t.is(stdout, '1\n');
});

test('memory stays: tensors that nobody disposes of are collected', async (t) => {
  const { code, stdout, stderr } = await runScript(`
    (async () => {
      for (let i = 0; i < 400; i++) {
        const x = nlrcnn.Tensor.from(new Float32Array(4 << 20), [4 << 20]);
        if (i % 10 === 0) await x.read(); // finalizers run when the event loop turns
      }
      console.log(process.memoryUsage().rss < 1.5e9);
    })();`);
  t.is(code, 0, stderr);
  t.is(stdout, 'true\n');
});
