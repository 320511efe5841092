import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import test from 'ava';

const SCRIPT = join(__dirname, '..', '..', 'scripts', 'fuzz', 'main.mjs');
const fuzz = (...args: string[]) => spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' });

test('every input that was found, and a few new ones, pass', (t) => {
  const names =
    'rle polygons results config safetensors pytorch coco labelmaps cityscapes kitti image ops api'.split(
      ' ',
    );
  const { stdout, status } = fuzz(
    '--runs',
    '20',
    '--seed',
    '1',
    ...names.flatMap((name) => ['--target', name]),
  );
  t.is(status, 0, stdout);
  t.regex(stdout, /^fuzz: \d+ inputs, 0 findings\n$/m);
});

test('crashes, hangs, memory and errors that are no refusals are found', (t) => {
  const folder = mkdtempSync(join(os.tmpdir(), 'nlrcnn-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const input = join(folder, 'input');
  const kinds: [string, RegExp][] = [
    ['crash', /FOUND self: ended the process \(SIGSEGV\)/],
    ['hang', /FOUND self: took more than 1 s of the processor/],
    ['memory', /FOUND self: Error: memory grew by \d+ MiB/],
    ['allocation', /FOUND self: RangeError: Array buffer allocation failed/],
    ['type', /FOUND self: TypeError/],
    ['stray', /FOUND self: (Error: )?an error that nobody awaits/],
    ['internal', /FOUND self: NlrcnnError: wrong/],
  ];
  for (const [kind, expected] of kinds) {
    writeFileSync(input, kind);
    const { stdout, status } = fuzz('--target', 'self', '--input', input);
    t.regex(stdout, expected, kind);
    t.regex(stdout, /^fuzz: 1 inputs, 1 findings\n$/m, kind);
    t.is(status, 1, kind);
  }
  writeFileSync(input, 'refused');
  t.is(fuzz('--target', 'self', '--input', input).status, 0);
});

test('inputs follow from the seed; a found one is saved and made small', (t) => {
  const folder = mkdtempSync(join(os.tmpdir(), 'nlrcnn-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const run = () => fuzz('--target', 'self', '--runs', '3000', '--seed', '5', '--save', folder).stdout;
  const outcomes = (text: string) => text.match(/\d+ outcomes/)?.[0];
  const first = run();
  t.is(outcomes(first), outcomes(run()));
  const path = first.match(/--input (\S+)/)?.[1];
  t.is(readFileSync(path!, 'latin1'), '!');
  t.is(fuzz('--target', 'none').status, 2);
});
