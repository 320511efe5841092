// What check-environments.mjs runs and ends at any moment: work of one kind without end, in a worker thread or as the
// main thread. Started with workerData or arguments { kind, device }.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import ndarray from 'ndarray';
import { smallTraining } from './small-training.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const { kind, device } = isMainThread ? { kind: process.argv[2], device: process.argv[3] } : workerData;
/** Tells that work begins. */
const begun = () => (isMainThread ? process.stdout.write('begun\n') : parentPort.postMessage('begun'));

const newFolder = () => mkdtempSync(join(process.env.NLRCNN_CHECK_FOLDER ?? tmpdir(), 'run-'));
const nlrcnn = await import('../dist/index.mjs');
const { Tensor, ops, loadModel, encodeRle, decodeRle } = nlrcnn;

async function runOps() {
  begun();
  for (let i = 0; ; i++) {
    const x = Tensor.from(new Float32Array(16 * 24 * 24).fill(1), [1, 16, 24, 24], device);
    const w = Tensor.from(new Float32Array(16 * 16 * 9).fill(0.01), [16, 16, 3, 3], device);
    let y = x;
    for (let k = 0; k < 8; k++) y = ops.conv2d(y, w, undefined, { padding: 1 });
    const reads = [y.read(), x.read()];
    decodeRle(encodeRle(ndarray(new Uint8Array(4096).fill(1), [64, 64])));
    if (i % 3 === 0) await Promise.all(reads);
    if (i % 5 === 0) for (const tensor of [x, w, y]) tensor.dispose();
  }
}

/** The bundled model; on CUDA, whose emulation is slow, what a short training made. */
const source = device === 'cpu' ? {} : { weights: process.env.NLRCNN_CHECK_WEIGHTS };

async function runSegment() {
  const model = await loadModel({ device, ...source });
  const data = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i * 7919) % 251);
  begun();
  for (;;) {
    const all = [0, 1, 2].map(() => model.segment({ data, width: 64, height: 64, channels: 1 }));
    await Promise.all(all);
  }
}

async function runLoad() {
  begun();
  for (;;) (await loadModel({ device, ...source })).dispose();
}

async function runLoader() {
  const data = join(ROOT, 'test', 'fixtures', 'datasets', 'labelmaps');
  const dataset = await nlrcnn.openDataset({ format: 'labelmaps', data, split: 'train' });
  begun();
  for (;;) {
    const loader = new nlrcnn.DataLoader(dataset, { batchSize: 1, workers: 2, seed: 1, epochs: 3 });
    for await (const batch of loader) if (!batch) throw new Error('no batch');
  }
}

async function runTraining() {
  begun();
  for (;;) await nlrcnn.train(await smallTraining(1000), { out: newFolder(), device });
}

const kinds = { ops: runOps, segment: runSegment, load: runLoad, loader: runLoader, train: runTraining };
await kinds[kind]();
