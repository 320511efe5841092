// What check-environments.mjs runs and ends at any moment: work of one kind without end, in a worker thread or as the
// main thread. Started with workerData or arguments { kind, device }.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const { kind, device } = isMainThread ? { kind: process.argv[2], device: process.argv[3] } : workerData;
/** Tells that work begins. */
const begun = () => (isMainThread ? process.stdout.write('begun\n') : parentPort.postMessage('begun'));

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
    const bitmap = { shape: [64, 64], stride: [64, 1], offset: 0, data: new Uint8Array(4096).fill(1) };
    decodeRle(encodeRle(bitmap));
    if (i % 3 === 0) await Promise.all(reads);
    if (i % 5 === 0) for (const tensor of [x, w, y]) tensor.dispose();
  }
}

async function runSegment() {
  const model = await loadModel({ device });
  const data = Uint8Array.from({ length: 64 * 64 }, (_, i) => (i * 7919) % 251);
  begun();
  for (;;) {
    const all = [0, 1, 2].map(() => model.segment({ data, width: 64, height: 64, channels: 1 }));
    await Promise.all(all);
  }
}

async function runLoad() {
  begun();
  for (;;) (await loadModel({ device })).dispose();
}

async function runLoader() {
  const data = join(ROOT, 'test', 'fixtures', 'datasets', 'labelmaps');
  const dataset = await nlrcnn.openDataset({ format: 'labelmaps', data });
  begun();
  for (;;) {
    const loader = new nlrcnn.DataLoader(dataset, { batchSize: 1, workers: 2, seed: 1, epochs: 3 });
    for await (const batch of loader) if (!batch) throw new Error('no batch');
  }
}

async function runTraining() {
  begun();
  for (;;) {
    const config = {
      model: {
        backbone: 'resnet18',
        fpn_channels: 16,
        num_classes: 2,
        norm: 'batch',
        min_size: 64,
        max_size: 96,
        anchor_sizes: [[8], [16], [32], [64], [128]],
        box_head_fc: 16,
        mask_head_convs: 1,
        mask_head_channels: 16,
        non_local_roi: { heads: ['box', 'mask'], scale: 'rsqrt' },
      },
      data: {
        format: 'labelmaps',
        dir: join(ROOT, 'test', 'fixtures', 'datasets', 'labelmaps'),
        train_split: null,
        class_name: 'disc',
        workers: 1,
      },
      sampling: { rpn_post_nms_top_n_train: 50, box_batch_size_per_image: 8 },
      batch_size: 1,
      crop: [64, 64],
      steps: 1000,
      checkpoint_every: 3,
    };
    const out = mkdtempSync(join(process.env.NLRCNN_CHECK_FOLDER ?? tmpdir(), 'run-'));
    await nlrcnn.train(config, { out, device });
  }
}

const kinds = { ops: runOps, segment: runSegment, load: runLoad, loader: runLoader, train: runTraining };
await kinds[kind]();
