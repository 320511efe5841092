import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { abortable } from '../../dist/abort.js';
import { Parameters } from '../../dist/layers/parameters.js';
import { Model } from '../../dist/model.js';
import type { Tensor } from '../../dist/tensor.js';
import { loadWeights } from '../../dist/weights/load.js';
import { fixture } from '../helpers/datasets.js';
import { runNode } from '../helpers/run-node.js';

const CANCELLED = { code: 'ERR_NLRCNN_CANCELLED' };

/** Runs the body of an async function that sees the package, a small model's options and an image; gives what it printed. */
async function outcome(body: string): Promise<unknown> {
  const { code, stdout, stderr } = await runNode([
    '--unhandled-rejections=strict',
    '-e',
    `const { loadModel, DataLoader, openDataset } = require('./dist/index.js');
    const { readFileSync, readdirSync } = require('node:fs');
    const { setImmediate: turn, setTimeout: pause } = require('node:timers/promises');
    const folder = './models/nuclei-r18-fpn128-nl/';
    const config = { ...JSON.parse(readFileSync(folder + 'config.json')), min_size: 128, max_size: 256 };
    const small = { device: 'cpu', config };
    const image = 'models/samples/touching.png';
    const codeOf = (promise) => promise.then(() => 'result', (error) => error.code ?? error.stack);
    (async () => {
      ${body}
    })().then((value) => console.log(JSON.stringify(value)));`,
  ]);
  if (code !== 0 || stderr !== '') throw new Error(`ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

test('an abort rejects at once, leaves no listener, and drops what comes later', async (t) => {
  const { signal } = new AbortController();
  t.is(await abortable(Promise.resolve(7), signal), 7);
  await t.throwsAsync(abortable(Promise.reject(new Error('own')), signal), { message: 'own' });
  t.is(getEventListeners(signal, 'abort').length, 0);

  const abort = new AbortController();
  let fail!: (error: Error) => void;
  const work = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const call = abortable(work, abort.signal);
  abort.abort(new Error('why'));
  const error = await t.throwsAsync(call, CANCELLED);
  t.is((error!.cause as Error).message, 'why');
  fail(new Error('later')); // AVA fails on a rejection that nobody handles
  await setImmediate();
  t.is(getEventListeners(abort.signal, 'abort').length, 0);
  await t.throwsAsync(abortable(Promise.resolve(7), abort.signal), CANCELLED);
});

test('segment is aborted before, while it decodes and while the device works; the model goes on unharmed', async (t) => {
  const found = await outcome(`
    const model = await loadModel(small);
    const before = JSON.stringify((await model.segment(image)).detections);
    const codes = [await codeOf(model.segment(image, { signal: AbortSignal.abort() }))];
    for (const delay of [0, 1, 5]) {
      const abort = new AbortController();
      const order = [];
      // The device works on these first, so that the call is aborted before it has a result.
      const others = [1, 2, 3, 4].map(() => model.segment(image).then(() => order.push('other')));
      await others[0];
      const call = codeOf(model.segment([image, image], { signal: abort.signal })).then((code) => order.push(code));
      if (delay > 0) await pause(delay);
      abort.abort();
      await Promise.all([call, ...others]);
      codes.push(order.includes('ERR_NLRCNN_CANCELLED') ? 'ERR_NLRCNN_CANCELLED' : order.join());
    }
    const after = JSON.stringify((await model.segment(image)).detections);
    model.dispose();
    return { codes, same: before === after };`);
  t.deepEqual(found, { codes: Array(4).fill('ERR_NLRCNN_CANCELLED'), same: true });
});

test('an aborted call does not wait for the device', async (t) => {
  const order = await outcome(`
    const model = await loadModel(small);
    const abort = new AbortController();
    const order = [];
    const busy = model.segment([image, image]).then(() => order.push('busy'));
    const call = codeOf(model.segment(image, { signal: abort.signal })).then((code) => order.push(code));
    await turn();
    abort.abort();
    await Promise.all([busy, call]);
    return order;`);
  t.deepEqual(order, ['ERR_NLRCNN_CANCELLED', 'busy']);
});

test('an image that fails ends the list: no further one is begun', async (t) => {
  const begun = (await outcome(`
    let begun = 0;
    const model = await loadModel(small);
    const files = require('node:fs/promises');
    const { open } = files;
    files.open = (...args) => (begun++, open(...args));
    const code = await codeOf(model.segment([image, 'none.png', ...Array(30).fill(image)]));
    const last = await model.segment(image); // behind all that was begun
    await pause(50);
    return [code, begun];`)) as [string, number];
  t.is(begun[0], 'ERR_NLRCNN_IO');
  t.true(begun[1] < 10, `${begun[1]} images begun`);
});

test('a model is disposed of at any moment, twice: whole results or ERR_NLRCNN_DISPOSED', async (t) => {
  const found = (await outcome(`
    const expected = JSON.stringify((await (await loadModel(small)).segment(image)).detections);
    const seen = new Set();
    for (const delay of [0, 4, 30]) {
      const model = await loadModel(small);
      const calls = [1, 2, 3].map(() => model.segment(image).then(
        ({ detections }) => (JSON.stringify(detections) === expected ? 'same' : 'other'),
        (error) => error.code ?? error.stack,
      ));
      calls.push(codeOf(model.attention(image, { roi: 0 })), codeOf(model.profile(image)));
      if (delay > 0) await pause(delay);
      model.dispose();
      model.dispose();
      const late = [model.segment(image), model.segment([image, image]), model.attention(image, { roi: 0 }), model.profile(image)];
      for (const code of await Promise.all(late.map(codeOf))) if (code !== 'ERR_NLRCNN_DISPOSED') seen.add('late ' + code);
      for (const code of await Promise.all(calls)) seen.add(code);
    }
    return [...seen];`)) as string[];
  t.true(found.includes('ERR_NLRCNN_DISPOSED'));
  t.deepEqual(
    found.filter((code) => !['ERR_NLRCNN_DISPOSED', 'same', 'result'].includes(code)),
    [],
  );
});

test('a model that cannot be made frees what it took', async (t) => {
  const { config, state } = await loadWeights({});
  state.delete('roi_heads.mask_predictor.mask_fcn_logits.weight');
  const parameters = new Parameters(state, 'cpu');
  const made: Tensor[] = [];
  const upload = parameters.upload.bind(parameters);
  parameters.upload = (data, shape) => {
    made.push(upload(data, shape));
    return made.at(-1)!;
  };
  t.throws(() => new Model('broken', config, 'cpu', 'fp32', parameters), { code: 'ERR_NLRCNN_WEIGHTS' });
  t.true(made.length > 20);
  t.true(made.every(({ disposed }) => disposed));
});

test('loading that fails, at each of its steps, leaves no file open', async (t) => {
  const found = await outcome(`
    const open = () => readdirSync('/proc/self/fd').length;
    const weights = folder + 'weights.safetensors';
    const wrong = [
      { weights: 'none.safetensors' },
      { weights: folder + 'config.json' },
      { weights, config: 'none.json' },
      { weights, config: weights },
      { weights, config: { ...config, num_classes: 7 } },
      { weights, config: { ...config, backbone: 'resnet34' } },
      { weights: 'models' },
    ];
    const codes = [];
    for (const options of wrong) codes.push(await codeOf(loadModel({ device: 'cpu', ...options })));
    await pause(10);
    const before = open();
    for (let i = 0; i < 5; i++) for (const options of wrong) await codeOf(loadModel({ device: 'cpu', ...options }));
    await pause(10);
    return { codes, left: open() - before };`);
  t.deepEqual(found, {
    codes: ['IO', 'WEIGHTS', 'IO', 'CONFIG', 'CONFIG', 'WEIGHTS', 'IO'].map((code) => `ERR_NLRCNN_${code}`),
    left: 0,
  });
});

test('a loader that is closed in the middle of an epoch leaves no thread', async (t) => {
  const found = await outcome(`
    const dataset = await openDataset({ format: 'labelmaps', data: ${JSON.stringify(fixture('labelmaps'))}, split: 'train' });
    const threads = () => readdirSync('/proc/self/task').length;
    const once = async (how) => {
      const abort = new AbortController();
      const loader = new DataLoader(dataset, { batchSize: 2, workers: 3, signal: abort.signal });
      const iterator = loader[Symbol.asyncIterator]();
      await iterator.next();
      const waiting = codeOf(iterator.next());
      if (how === 'abort') abort.abort();
      await Promise.all([loader.close(), loader.close()]);
      await loader.close();
      return [await waiting, await codeOf(loader[Symbol.asyncIterator]().next())];
    };
    const codes = [await once('close'), await once('abort')];
    const before = threads();
    for (let i = 0; i < 3; i++) await once(i % 2 ? 'close' : 'abort');
    for (let i = 0; i < 100 && threads() > before; i++) await pause(30); // the system takes a moment
    return { codes: [codes[0][1], ...codes[1]], left: Math.max(0, threads() - before) };`);
  t.deepEqual(found, { codes: Array(3).fill(CANCELLED.code), left: 0 });
});
