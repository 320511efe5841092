import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { prepareFolder } from '../../dist/files/folders.js';
import { JsonLines, readJsonLines } from '../../dist/files/json-lines.js';
import { removeLeftovers, settle, temporaryIn } from '../../dist/files/temporaries.js';
import { fillWhole, writeWhole, writeWholeFolder } from '../../dist/files/write-whole.js';
import { runNode } from '../helpers/run-node.js';
import { diskTest, smallDisk } from '../helpers/small-disk.js';

const ROOT = join(__dirname, '..', '..');
const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));
const MIB = 2 ** 20;

test('files are made and replaced, with what they had of mode and links, and nothing else is left', async (t) => {
  const folder = fresh();
  const path = join(folder, 'a.json');
  await writeWhole(path, 'first');
  t.is(statSync(path).mode & 0o777, 0o666 & ~process.umask());
  chmodSync(path, 0o640);
  await writeWhole(path, Buffer.from('second'), { durable: true });
  t.is(readFileSync(path, 'utf8'), 'second');
  t.is(statSync(path).mode & 0o777, 0o640);
  const elsewhere = join(fresh(), 'real');
  writeFileSync(elsewhere, 'old');
  const link = join(folder, 'link');
  symlinkSync(elsewhere, link);
  await writeWhole(link, 'new');
  t.true(lstatSync(link).isSymbolicLink());
  t.is(readFileSync(elsewhere, 'utf8'), 'new');
  // As long a name as there is.
  const long = join(folder, 'n'.repeat(255));
  await writeWhole(long, 'long');
  t.deepEqual(readdirSync(folder).sort(), ['a.json', 'link', basename(long)].sort());
});

test('where the content fails the old one stays, and its error is passed on', async (t) => {
  const folder = fresh();
  const path = join(folder, 'a');
  await writeWhole(path, 'old');
  const fails = new Error('of the content');
  const failing = fillWhole(path, async (file) => {
    await file.writeFile('half');
    throw fails;
  });
  t.is(await t.throwsAsync(failing), fails);
  t.is(readFileSync(path, 'utf8'), 'old');
  t.deepEqual(readdirSync(folder), ['a']);
  t.is(await fillWhole(path, async () => 7), 7);
});

test('what cannot be written names the file, the reason and what it means', async (t) => {
  const folder = fresh();
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'file'), 'content');
  symlinkSync('/dev/full', join(folder, 'full'));
  const cases: [string, RegExp][] = [
    ['none/a', /none\/a but it failed \(ENOENT\): its folder does not exist$/],
    ['folder', /folder but it failed \(EISDIR\)/],
    ['file/a', /file\/a but it failed \(ENOTDIR\)/],
    ['full', /full but it failed \(ENOSPC\): the disk is full$/],
    ['n'.repeat(256), /failed \(ENAMETOOLONG\)$/],
  ];
  for (const [name, message] of cases) {
    await t.throwsAsync(writeWhole(join(folder, name), 'x'), { code: 'ERR_NLRCNN_IO', message });
    if (name === 'folder') continue;
    const below = join(folder, name, 'below');
    await t.throwsAsync(
      writeWholeFolder(below, async () => {}),
      { code: 'ERR_NLRCNN_IO' },
    );
  }
  t.deepEqual(readdirSync(folder).sort(), ['file', 'folder', 'full']);
  t.is(readFileSync(join(folder, 'file'), 'utf8'), 'content');
  t.true(statSync('/dev/full').isCharacterDevice());
});

diskTest('on a full disk the old content stays; on a read-only one too', async (t) => {
  const disk = smallDisk(t, 256);
  const path = join(disk.path, 'a');
  await writeWhole(path, 'old');
  const full = { code: 'ERR_NLRCNN_IO', message: /\/a but it failed \(ENOSPC\): the disk is full/ };
  await t.throwsAsync(writeWhole(path, Buffer.alloc(MIB)), full);
  await t.throwsAsync(
    writeWholeFolder(path, (folder) => folder.write('large', Buffer.alloc(MIB))),
    { code: 'ERR_NLRCNN_IO', message: /\/a\/large but it failed \(ENOSPC\)/ },
  );
  t.is(readFileSync(path, 'utf8'), 'old');
  t.deepEqual(readdirSync(disk.path), ['a']);

  const lines = await JsonLines.create(join(disk.path, 'lines'), [{ step: 1 }]);
  const more = async () => {
    for (let step = 2; ; step++) await lines.add({ step, text: 'x'.repeat(1000) });
  };
  await t.throwsAsync(more(), { code: 'ERR_NLRCNN_IO', message: /\/lines but it failed \(ENOSPC\)/ });
  await lines.close();
  const text = readFileSync(join(disk.path, 'lines'), 'utf8');
  t.true(text.endsWith('}\n'));
  t.is((await readJsonLines(join(disk.path, 'lines'))).length, text.trim().split('\n').length);

  disk.readOnly();
  await t.throwsAsync(writeWhole(path, 'new'), { code: 'ERR_NLRCNN_IO', message: /\(EROFS\)/ });
  await t.throwsAsync(prepareFolder(disk.path), { code: 'ERR_NLRCNN_IO', message: /\(EROFS\)/ });
  t.is(readFileSync(path, 'utf8'), 'old');
});

test('what is larger than the limit of the process leaves nothing behind', async (t) => {
  const folder = fresh();
  writeFileSync(join(folder, 'a'), 'old');
  const script = `
    const { writeWhole } = require('./dist/files/write-whole.js');
    writeWhole(${JSON.stringify(join(folder, 'a'))}, Buffer.alloc(4 << 20)).catch((error) => console.log(error.code, error.message));`;
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -f 100; exec "$0" -e "$1"', process.execPath, script], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  t.regex(stdout, /^ERR_NLRCNN_IO Expected to write .*\/a but it failed \(EFBIG\)/);
  t.deepEqual(readdirSync(folder), ['a']);
  t.is(readFileSync(join(folder, 'a'), 'utf8'), 'old');
});

test('process.exit() in the middle of writing leaves nothing behind', async (t) => {
  const folder = fresh();
  const { code, stderr } = await runNode([
    '-e',
    `const { fillWhole, writeWholeFolder } = require('./dist/files/write-whole.js');
    const end = async (target) => { if (++begun === 2) process.exit(5); await new Promise(() => {}); };
    let begun = 0;
    fillWhole(${JSON.stringify(join(folder, 'a'))}, async (file) => { await file.writeFile('half'); await end(); });
    writeWholeFolder(${JSON.stringify(join(folder, 'b'))}, async (folder) => { await folder.write('c', 'half'); await end(); });`,
  ]);
  t.is(code, 5, stderr);
  t.deepEqual(readdirSync(folder), []);
});

/** Writes two files of one repeated byte and a folder of one, again and again. */
const WRITER = `
const { writeWhole, writeWholeFolder } = require('./dist/files/write-whole.js');
const { join } = require('node:path');
const folder = process.argv[1];
(async () => {
  for (let i = 0; ; i++) {
    const data = Buffer.alloc(3000000 + i % 7, i % 250);
    await writeWhole(join(folder, 'same'), data);
    await writeWhole(join(folder, 'new-' + i), data);
    await writeWholeFolder(join(folder, 'folder'), async (unfinished) => {
      for (const name of ['a', 'b']) await unfinished.write(name, data);
    });
    if (i === 0) console.log('begun');
  }
})();`;

test('killed at any moment: each file and folder is whole, and the next run removes what is left over', async (t) => {
  for (let round = 0; round < 8; round++) {
    const folder = fresh();
    const child = spawn(process.execPath, ['-e', WRITER, folder], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await setTimeout(60 * Math.random());
    // What is being written by another process stays.
    await removeLeftovers(folder);
    await setTimeout(30 * Math.random());
    child.kill('SIGKILL');
    await once(child, 'close');
    const left = readdirSync(folder);
    t.true(
      left.every((name) => /^(same|new-\d+|folder|\.nlrcnn-[\w.-]+\.tmp)$/.test(name)),
      left.join(),
    );
    await prepareFolder(folder);
    for (const name of readdirSync(folder, { recursive: true }) as string[]) {
      t.false(name.startsWith('.'));
      if (statSync(join(folder, name)).isDirectory()) continue;
      const data = readFileSync(join(folder, name));
      t.true(data.length >= 3_000_000 && data.equals(Buffer.alloc(data.length, data[0])), name);
    }
    if (existsSync(join(folder, 'folder')))
      t.deepEqual(readdirSync(join(folder, 'folder')).sort(), ['a', 'b']);
  }
});

test('only what nobody writes any more is removed', async (t) => {
  const folder = fresh();
  const own = temporaryIn(folder);
  const [, machine, pid, start] = basename(own).match(/^\.nlrcnn-(.+)-(\d+)-(\d+)-\d+-\d+\.tmp$/)!;
  const name = (m: string, p: string | number, s: string | number) => `.nlrcnn-${m}-${p}-${s}-0-99.tmp`;
  const stay = [basename(own), name('0123abcd.f0', pid!, start!), '.nlrcnn-settings', 'a.tmp'];
  const go = [
    name(machine!, pid!, Number(start) - 1),
    name(machine!, 4194303, start!),
    name('fedc0123.1', 1, 2),
  ];
  for (const file of [...stay, ...go]) writeFileSync(join(folder, file), '');
  const old = Date.now() / 1000 - 2 * 3600;
  utimesSync(join(folder, go[2]!), old, old);
  await removeLeftovers(folder);
  t.deepEqual(readdirSync(folder).sort(), stay.sort());
  settle(own);
  await removeLeftovers(join(folder, 'none'));
});

test('a line that was cut short ends a file of lines', async (t) => {
  const path = join(fresh(), 'a.jsonl');
  t.deepEqual(await readJsonLines(path), []);
  writeFileSync(path, '{"step":1}\n{"step":2}\n{"st');
  t.deepEqual(await readJsonLines(path), [{ step: 1 }, { step: 2 }]);
  await t.throwsAsync(readJsonLines(join(path, '..')), { code: 'ERR_NLRCNN_IO', message: /EISDIR/ });
});

test('no other module writes files or to standard output by itself', (t) => {
  const allowed: Record<string, RegExp> = {
    'files/write-whole.ts': /^(open|mkdir|rename)$/,
    'files/temporaries.ts': /^(rm|rmSync)$/,
    'files/folders.ts': /^mkdir$/,
    'files/json-lines.ts': /^(open|appendFile|truncate)$/,
    'cli/print.ts': /^(stdout|writeSync)$/,
    'runs/checkpoint.ts': /^rm$/,
  };
  const writing =
    /\b(writeFile|writeFileSync|writeSync|appendFile|appendFileSync|createWriteStream|openSync|mkdir|mkdirSync|mkdtemp|rename|renameSync|rm|rmSync|unlink|truncate|copyFile|cp|toFile|stdout)\b(?=\(|\.write)|\bopen\b(?=\([^()]*, '(?:[wa]|r\+))/g;
  const found: string[] = [];
  for (const name of readdirSync(join(ROOT, 'lib'), { recursive: true }) as string[]) {
    if (!/\.m?ts$/.test(name)) continue;
    const text = readFileSync(join(ROOT, 'lib', name), 'utf8').replace(/file\.writeFile\(/g, '');
    for (const [call] of text.matchAll(writing)) {
      if (!allowed[name]?.test(call)) found.push(`${name}: ${call}`);
    }
  }
  t.deepEqual(found, []);
});
