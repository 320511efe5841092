import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { latestCheckpoint } from '../../dist/runs/checkpoint.js';
import { parseTrainingConfig } from '../../dist/runs/config.js';
import { train } from '../../dist/runs/train.js';
import type { StepRecord } from '../../dist/train/trainer.js';
import { CUDA } from '../helpers/device.js';
import { smallConfig } from '../helpers/small-training.js';

test('a run in float16: the first steps overflow, the loss scale falls, all goes on from a checkpoint', async (t) => {
  const out = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  const config = parseTrainingConfig({
    ...JSON.parse(readFileSync(await smallConfig(), 'utf8')),
    precision: 'fp16',
    steps: 1,
    batch_size: 1,
  });
  const seen: StepRecord[] = [];
  const step = (record: StepRecord) => seen.push(record);
  await train(config, { out, device: CUDA, step });
  await train({ ...config, steps: 2 }, { out, device: CUDA, step, resume: true });
  t.is(seen.length, 2);
  t.true(seen.every(({ loss }) => loss > 1 && loss < 20));
  const { checkpoint } = (await latestCheckpoint(out))!;
  const overflows = seen.filter(({ overflowed }) => overflowed).length;
  t.is(checkpoint.tensors.optimizer!.get('loss_scale')!.data[0], 65536 / 2 ** overflows);
  t.is(checkpoint.tensors.optimizer!.get('step.decay')!.data[0], 2 - overflows);
});
