import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import sharp from 'sharp';
import { resultNames } from '../../dist/cli/outputs.js';
import { runCli, runNode } from '../helpers/run-node.js';
import { diskTest, smallDisk } from '../helpers/small-disk.js';

const ROOT = join(__dirname, '..', '..');
const CLI = join(ROOT, 'dist', 'cli', 'main.js');
const SAMPLES = join(ROOT, 'models', 'samples');
const touching = join(SAMPLES, 'touching.png');
const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));

/** A folder of small images of the same nuclei. */
async function images(count: number): Promise<string[]> {
  const folder = fresh();
  const bytes = await sharp(touching).extract({ left: 0, top: 0, width: 96, height: 96 }).png().toBuffer();
  return Array.from({ length: count }, (_, i) => {
    const path = join(folder, `image${String(i).padStart(3, '0')}.png`);
    writeFileSync(path, bytes);
    return path;
  });
}

/** Every file is whole: JSON parses, PNGs decode; nothing else is there. */
async function checkWhole(t: ExecutionContext, folder: string): Promise<string[]> {
  const names = readdirSync(folder);
  for (const name of names) {
    t.regex(name, /^[^.].*\.(json|png)$/);
    const bytes = readFileSync(join(folder, name));
    if (name.endsWith('.json')) t.notThrows(() => JSON.parse(bytes.toString()), name);
    else await t.notThrowsAsync(sharp(bytes, { failOn: 'warning' }).raw().toBuffer(), name);
  }
  return names;
}

function start(args: readonly string[]): { child: ChildProcess; stderr: () => string } {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { child, stderr: () => text };
}

async function untilFiles(folder: string, count: number, child: ChildProcess): Promise<void> {
  while (!existsSync(folder) || readdirSync(folder).length < count) {
    if (child.exitCode !== null) throw new Error('the run ended before');
    await setTimeout(3);
  }
}

diskTest(
  'on a full disk each image that does not fit is named, the others are done, and all files are whole',
  async (t) => {
    const disk = smallDisk(t, 220);
    const out = join(disk.path, 'out');
    const given = await images(6);
    const formats = 'json,overlay,png,polygons,coco';
    const { code, stderr } = await runCli(
      'segment',
      ...given,
      '--out',
      out,
      '--format',
      formats,
      '--device',
      'cpu',
    );
    t.is(code, 1);
    const names = await checkWhole(t, out);
    t.true(names.includes('image000.json'), names.join());
    for (const line of stderr.trim().split('\n'))
      t.regex(
        line,
        /^nlrcnn: ERR_NLRCNN_IO: Expected to write \S+ but it failed \(ENOSPC\): the disk is full$/,
      );
    for (const [, path] of stderr.matchAll(/write (\S+) but/g)) t.false(existsSync(path!), path);
    disk.readOnly();
    const refused = await runCli('segment', touching, '--out', out);
    t.is(refused.code, 1);
    t.regex(refused.stderr, /^nlrcnn: ERR_NLRCNN_IO: .*\(EROFS\): choose another --out\n$/);
    const attention = await runCli('attention', touching, '--roi', '0', '--out', out);
    t.is(attention.code, 1);
    t.regex(attention.stderr, /\(EROFS\): choose another --out\n$/);
  },
);

test('a folder in the place of a result fails that image alone', async (t) => {
  const [out, given] = [fresh(), await images(2)];
  mkdirSync(join(out, 'image000.json'));
  const { code, stderr } = await runCli(
    'segment',
    ...given,
    '--out',
    out,
    '--format',
    'json',
    '--device',
    'cpu',
  );
  t.is(code, 1);
  t.regex(
    stderr,
    /^nlrcnn: ERR_NLRCNN_IO: Expected to write \S+image000\.json but it failed \(EISDIR\): .*\n$/,
  );
  t.true(statSync(join(out, 'image001.json')).isFile());
});

test('results replace old ones whole, with the mode that those had', async (t) => {
  const [out, given] = [fresh(), await images(1)];
  const path = join(out, 'image000.json');
  writeFileSync(path, 'x'.repeat(1e6));
  chmodSync(path, 0o600);
  t.is((await runCli('segment', ...given, '--out', out, '--format', 'json')).code, 0);
  t.deepEqual(await checkWhole(t, out), ['image000.json']);
  t.is(statSync(path).mode & 0o777, 0o600);
});

for (const [signal, expected] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const) {
  test(`${signal} in the middle of a folder ends with ${expected} and whole files`, async (t) => {
    const [out, given] = [fresh(), await images(200)];
    const formats = 'json,overlay,png,polygons,coco';
    const { child, stderr } = start([
      'segment',
      ...given,
      '--out',
      out,
      '--format',
      formats,
      '--device',
      'cpu',
    ]);
    await untilFiles(out, 5, child);
    child.kill(signal);
    const [code] = await once(child, 'close');
    t.is(code, expected);
    t.is(stderr(), 'nlrcnn: stopped\n');
    const names = await checkWhole(t, out);
    t.true(names.length < 4 * given.length);
    // It would look like that of all images.
    t.false(names.includes('coco-results.json'));
  });
}

test('a second signal ends at once, by itself, with whole files and nothing else', async (t) => {
  const [out, given] = [fresh(), await images(200)];
  const { child } = start(['segment', ...given, '--out', out, '--device', 'cpu']);
  await untilFiles(out, 3, child);
  child.kill('SIGTERM');
  await setTimeout(2);
  child.kill('SIGTERM');
  const [code, signal] = await once(child, 'close');
  // Where it ended before the second came, by the first.
  t.true(signal === 'SIGTERM' || code === 143, `${signal ?? code}`);
  await checkWhole(t, out);
});

test('killed in the middle of a folder: whole files, and the next run removes the rest', async (t) => {
  for (let round = 0; round < 2; round++) {
    const [out, given] = [fresh(), await images(200)];
    const { child } = start(['segment', ...given, '--out', out, '--format', 'json,overlay,png']);
    await untilFiles(out, 3 + 4 * round, child);
    await setTimeout(10 * Math.random());
    child.kill('SIGKILL');
    await once(child, 'close');
    writeFileSync(join(out, '.nlrcnn-0-1-1-0-0.tmp'), 'of another machine, just now');
    t.is((await runCli('segment', given[0]!, '--out', out)).code, 0);
    t.deepEqual(
      readdirSync(out).filter((name) => name.startsWith('.')),
      ['.nlrcnn-0-1-1-0-0.tmp'],
    );
  }
});

test('a reader that goes away is no error; a full disk behind standard output is', async (t) => {
  const shell = (command: string, ...args: string[]) =>
    spawnSync('bash', ['-c', command, 'bash', process.execPath, CLI, ...args], {
      cwd: ROOT,
      encoding: 'utf8',
    });
  for (const args of [['init-config'], ['segment', touching, '--out', '-', '--device', 'cpu']]) {
    const gone = shell('"$@" | head -c 10 >/dev/null; echo "$PIPESTATUS"', ...args);
    t.deepEqual([gone.stdout, gone.stderr], ['0\n', '']);
    // Nobody reads from the beginning on.
    const closed = shell('"$@" | true; echo "$PIPESTATUS"', ...args);
    t.deepEqual([closed.stdout, closed.stderr], ['0\n', '']);
    const full = shell('"$@" >/dev/full', ...args);
    t.is(full.status, 1);
    t.is(
      full.stderr,
      'nlrcnn: ERR_NLRCNN_IO: Expected to write standard output but it failed (ENOSPC): the disk is full\n',
    );
  }
  // A file that takes a part only.
  const part = join(fresh(), 'part.json');
  const cut = shell(`ulimit -f 1; "$@" >${part}`, 'init-config');
  t.is(cut.status, 1);
  t.regex(cut.stderr, /standard output but it failed \(EFBIG\)/);
  // Nor does a reader of notes that has gone end the work.
  const out = fresh();
  const notes = shell('"$@" 2>&1 >/dev/null | true; echo "$PIPESTATUS"', 'segment', touching, '--out', out);
  t.is(notes.stdout, '0\n');
  t.is(readdirSync(out).length, 2);
});

test('no two results share a file, and none replaces an image', async (t) => {
  const all = ['json', 'overlay', 'png', 'polygons', 'coco'] as const;
  t.deepEqual(resultNames(['x/a.png', 'y/a.jpg', 'a-2.png', 'a.polygons.png'], all), [
    'a',
    'a-2',
    'a-2-2',
    'a.polygons-2',
  ]);
  t.deepEqual(resultNames(['a.png', 'a.polygons.png', 'coco-results.png'], ['json']), [
    'a',
    'a.polygons',
    'coco-results',
  ]);
  t.deepEqual(resultNames(['coco-results.png', 'b.png'], ['json', 'coco']), ['coco-results-2', 'b']);
  const folder = fresh();
  for (const name of ['a.png', 'a.overlay.png']) copyFileSync(touching, join(folder, name));
  const { code, stderr } = await runNode([
    'dist/cli/main.js',
    'segment',
    join(folder, 'a.png'),
    join(folder, 'a.overlay.png'),
    '--out',
    folder,
  ]);
  t.is(code, 1);
  t.regex(stderr, /a\.overlay\.png of \S+a\.png would replace the image \S+a\.overlay\.png: choose another/);
  t.deepEqual(readFileSync(join(folder, 'a.overlay.png')), readFileSync(touching));
});
