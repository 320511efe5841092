import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { latestCheckpoint } from '../../dist/runs/checkpoint.js';
import { DivergedError } from '../../dist/train/trainer.js';
import { runCli, runNode } from '../helpers/run-node.js';
import { diskTest, smallDisk } from '../helpers/small-disk.js';
import { smallConfig } from '../helpers/small-training.js';
import { toyConfig, toyRun } from '../helpers/toy-run.js';

const fresh = () => join(mkdtempSync(join(tmpdir(), 'nlrcnn-')), 'run');
const hidden = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('.'));

/** What a run leaves that may not depend on where it was interrupted. */
async function outcome(out: string) {
  const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const metrics = lines.map((line) => {
    const { seconds: _, images_per_second: __, ...rest } = JSON.parse(line);
    return rest;
  });
  const { checkpoint, passed } = (await latestCheckpoint(out))!;
  return { metrics, checkpoint, passed };
}

async function straightRun() {
  const straight = fresh();
  await toyRun(straight, toyConfig());
  return outcome(straight);
}

/** The checkpoint of step 4 is whole, and resumed from it the run ends as one without interruption. */
async function checkResume(t: ExecutionContext, out: string): Promise<void> {
  const found = await latestCheckpoint(out);
  t.deepEqual([found!.checkpoint.step, found!.passed], [4, []]);
  t.deepEqual(hidden(out), []);
  t.true((await toyRun(out, toyConfig(), { resume: true })).finished);
  t.deepEqual(await outcome(out), await straightRun());
}

diskTest(
  'a disk that is full at a checkpoint ends the run with the name of the file; it goes on later',
  async (t) => {
    const disk = smallDisk(t, 256);
    const out = join(disk.path, 'run');
    const ballast = join(disk.path, 'ballast');
    const fill = () => {
      try {
        for (let kib = 4; ; kib += 4) writeFileSync(ballast, Buffer.alloc(1024 * kib));
      } catch {
        // Full.
      }
    };
    const running = toyRun(out, toyConfig(), { step: ({ step }) => step === 7 && fill() });
    await t.throwsAsync(running, {
      code: 'ERR_NLRCNN_IO',
      message: /\/checkpoint-00000008\S* but it failed \(ENOSPC\): the disk is full$/,
    });
    rmSync(ballast);
    await checkResume(t, out);
  },
);

const limited = spawnSync('prlimit', ['--version']).status === 0 ? test : test.skip;

limited(
  'a log that cannot grow ends the run with its name, without half a line; it goes on later',
  async (t) => {
    const out = fresh();
    const { code, stdout, stderr } = await runNode([
      '-e',
      `const { toyRun, toyConfig } = require('./dist-test/helpers/toy-run.js');
    const { spawnSync } = require('node:child_process');
    const { statSync } = require('node:fs');
    const limit = () => {
      const bytes = statSync(${JSON.stringify(join(out, 'metrics.jsonl'))}).size + 20;
      spawnSync('prlimit', ['--pid', String(process.pid), '--fsize=' + bytes + ':' + bytes]);
    };
    toyRun(${JSON.stringify(out)}, toyConfig(), { step: ({ step }) => step === 7 && limit() })
      .catch(({ code, message }) => console.log(code, message));`,
    ]);
    t.is(code, 0, stderr);
    t.regex(stdout, /^ERR_NLRCNN_IO Expected to write \S+\/metrics\.jsonl but it failed \(EFBIG\)/);
    const text = readFileSync(join(out, 'metrics.jsonl'), 'utf8');
    t.is(text.trim().split('\n').length, 7);
    t.true(text.endsWith('}\n'));
    await checkResume(t, out);
  },
);

test('a log that cannot be read is an error, and stays as it is', async (t) => {
  const out = fresh();
  await toyRun(out, toyConfig({ steps: 2 }));
  rmSync(join(out, 'metrics.jsonl'));
  const folder = join(out, 'metrics.jsonl', 'precious');
  spawnSync('mkdir', ['-p', folder]);
  await t.throwsAsync(toyRun(out, toyConfig({ steps: 4 }), { resume: true }), {
    code: 'ERR_NLRCNN_IO',
    message: /metrics\.jsonl cannot be read \(EISDIR\)/,
  });
  t.deepEqual(readdirSync(join(out, 'metrics.jsonl')), ['precious']);
});

diskTest(
  'where the batch of a loss that is not finite cannot be saved, the loss is named all the same',
  async (t) => {
    const disk = smallDisk(t, 256);
    const out = join(disk.path, 'run');
    const fill = () => {
      try {
        for (let kib = 4; ; kib += 4) writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(1024 * kib));
      } catch {
        // Full.
      }
    };
    const running = toyRun(out, toyConfig(), { nanAt: 6, step: ({ step }) => step === 6 && fill() });
    await t.throwsAsync(running, {
      instanceOf: DivergedError,
      code: 'ERR_NLRCNN_DIVERGED',
      message:
        /loss_v is NaN at step 7, .*Expected to write \S+diverged-00000007\S* but it failed \(ENOSPC\).* of step 4$/,
    });
    t.deepEqual(
      readdirSync(out).filter((name) => /^\.|diverged/.test(name)),
      [],
    );
  },
);

diskTest('nlrcnn train on a disk that is too small ends with 1 and one line', async (t) => {
  const disk = smallDisk(t, 4096);
  const config = await smallConfig({ steps: 2, checkpoint_every: 1 });
  const out = join(disk.path, 'run');
  const { code, stderr } = await runCli('train', config, '--out', out, '--device', 'cpu');
  t.is(code, 1);
  const errors = stderr.split('\n').filter((line) => line.startsWith('nlrcnn:'));
  t.deepEqual(errors, [
    `nlrcnn: ERR_NLRCNN_IO: Expected to write ${out}/checkpoint-00000001/weights.safetensors but it failed (ENOSPC): the disk is full`,
  ]);
  t.deepEqual(readdirSync(out).sort(), ['config.json', 'evaluations.jsonl', 'metrics.jsonl']);
});
