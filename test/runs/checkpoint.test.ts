import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { prepareFolder } from '../../dist/files/folders.js';
import {
  latestCheckpoint,
  listCheckpoints,
  removeUnfinished,
  saveCheckpoint,
} from '../../dist/runs/checkpoint.js';

const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const tensor = (...values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) });
const content = (step: number) => ({
  step,
  state: { position: { epoch: 1, sample: step } },
  tensors: {
    weights: new Map([
      ['a', tensor(step, 2)],
      ['b', tensor(-step)],
    ]),
    optimizer: new Map([['momentum.a', tensor(0.5, step)]]),
  },
});

test('a checkpoint comes back as it was; the newest are kept', async (t) => {
  const folder = fresh();
  t.is(await latestCheckpoint(folder), undefined);
  t.is(await latestCheckpoint(join(folder, 'none')), undefined);
  for (const step of [5, 90, 100, 1000]) await saveCheckpoint(folder, content(step), 2);
  t.deepEqual(readdirSync(folder).sort(), ['checkpoint-00000100', 'checkpoint-00001000']);
  const found = await latestCheckpoint(folder);
  t.deepEqual(found!.checkpoint, content(1000));
  t.deepEqual(found!.passed, []);
  // The same step again takes the place of the first.
  await saveCheckpoint(folder, { ...content(1000), state: { position: { epoch: 9, sample: 9 } } }, 2);
  t.is((await latestCheckpoint<{ position: { epoch: number } }>(folder))!.checkpoint.state.position.epoch, 9);
});

test('what is damaged is passed over and named', async (t) => {
  const damages: [what: RegExp, damage: (path: string) => void][] = [
    [/not as it was written/, (path) => truncateSync(join(path, 'weights.safetensors'), 60)],
    [
      /optimizer\.safetensors is not as it was written/,
      (path) => {
        const bytes = readFileSync(join(path, 'optimizer.safetensors'));
        bytes[bytes.length - 1]! ^= 1;
        writeFileSync(join(path, 'optimizer.safetensors'), bytes);
      },
    ],
    [/ENOENT/, (path) => rmSync(join(path, 'state.json'))],
    [/JSON/, (path) => truncateSync(join(path, 'state.json'), 20)],
    [/ENOENT/, (path) => rmSync(join(path, 'weights.safetensors'))],
    [
      /a \(1 of 2 values are NaN or infinite\)/,
      (path) => {
        // Whole, but written by a run whose weights had gone.
        const file = join(path, 'weights.safetensors');
        const bytes = readFileSync(file);
        bytes.writeFloatLE(Number.NaN, 8 + Number(bytes.readBigUInt64LE(0)));
        writeFileSync(file, bytes);
        const manifest = join(path, 'state.json');
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const state = JSON.parse(readFileSync(manifest, 'utf8')) as { files: Record<string, object> };
        Object.assign(state.files['weights.safetensors']!, { sha256 });
        writeFileSync(manifest, JSON.stringify(state));
      },
    ],
    [/format 2/, (path) => writeFileSync(join(path, 'state.json'), '{"format": 2}')],
  ];
  for (const [what, damage] of damages) {
    const folder = fresh();
    await saveCheckpoint(folder, content(1), 2);
    damage(await saveCheckpoint(folder, content(2), 2));
    const found = await latestCheckpoint(folder);
    t.is(found!.checkpoint.step, 1);
    t.is(found!.passed.length, 1);
    t.regex(found!.passed[0]!, /^checkpoint-00000002: /);
    t.regex(found!.passed[0]!, what);
    damage(join(folder, 'checkpoint-00000001'));
    await t.throwsAsync(latestCheckpoint(folder), { code: 'ERR_NLRCNN_IO', message: /received none/ });
  }
});

test('what cannot be written is an error that names the place, and leaves no checkpoint', async (t) => {
  const folder = join(fresh(), 'none');
  await t.throwsAsync(saveCheckpoint(folder, content(1), 1), {
    code: 'ERR_NLRCNN_IO',
    message: /checkpoint-00000001 but it failed \(ENOENT\)/,
  });
  const wrong = { ...content(1), tensors: { weights: new Map([['a', { ...tensor(1), shape: [2] }]]) } };
  const other = fresh();
  await t.throwsAsync(saveCheckpoint(other, wrong, 1), { code: 'ERR_NLRCNN_SHAPE' });
  t.is(await latestCheckpoint(other), undefined);
  mkdirSync(join(other, '.removing-checkpoint-00000007'));
  await removeUnfinished(other);
  t.deepEqual(readdirSync(other), []);
});

/** Saves checkpoint after checkpoint of some megabytes, each of one number, and says when it is there. */
const WRITER = `
const { saveCheckpoint } = require('./dist/runs/checkpoint.js');
const [folder, first] = process.argv.slice(1);
(async () => {
  for (let step = Number(first); ; step++) {
    const tensors = () => new Map(['a', 'b', 'c'].map((name) => [name, { shape: [400000], data: new Float32Array(400000).fill(step) }]));
    await saveCheckpoint(folder, { step, state: { step }, tensors: { weights: tensors(), optimizer: tensors() } }, 2);
    process.stdout.write(step + '\\n');
  }
})();
`;

test('killed at any moment, the last checkpoint that was announced is there, whole', async (t) => {
  const folder = fresh();
  let first = 1;
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, ['-e', WRITER, folder, String(first)], {
      cwd: join(__dirname, '..', '..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await once(child.stdout, 'data');
    await setTimeout(7 * round + 5 * Math.random());
    child.kill('SIGKILL');
    await once(child, 'close');
    const announced = Number(output.trim().split('\n').at(-1));
    await prepareFolder(folder); // as every run begins
    t.deepEqual(
      readdirSync(folder).filter((name) => !/^checkpoint-\d{8}$/.test(name)),
      [],
    );
    const found = await latestCheckpoint<{ step: number }>(folder);
    const { step, state, tensors } = found!.checkpoint;
    t.deepEqual(found!.passed, []);
    t.true(step >= announced, `${step} after ${announced}`);
    t.is(state.step, step);
    for (const { data } of [...tensors.weights!.values(), ...tensors.optimizer!.values()])
      t.true(data.every((value) => value === step));
    t.true((await listCheckpoints(folder)).length <= 3);
    first = step + 1;
  }
});
