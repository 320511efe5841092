// Watches lib, test, bench and native: compiles what a change touches and runs the tests that it may break.
//
//   npm run dev                 after a change in TypeScript: the nearest tests that load the file, at most 8 files
//                               after one in native: the addon is built, and the cases of that op run (else test/ops)
//   npm run dev -- nms ops      always these tests (files, folders or names, as npm test takes them)
//
// Options of AVA pass through. A change stops what runs; Enter runs the last tests once more.

import { spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { affected, compiled, named } from './test-files.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const WATCHED = ['lib', 'test', 'bench', 'native'];
const SOURCE = /\.(m?ts|json|cpp|cu|h|cmake)$/;
const MOST = 8;
/** Editors write several times in a row. */
const SETTLED = 200;

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith('-'));
const always = args.filter((arg) => !arg.startsWith('-')).flatMap((name) => named(name));
const say = (text) => process.stderr.write(`dev: ${text}\n`);

let child;
let pending = new Set();
let timer;
/** What AVA was last given. */
let last;

/** Runs a program of the checkout; true where it succeeded, undefined where a change has stopped it. */
function run(...command) {
  return new Promise((resolve) => {
    const started = spawn(process.execPath, command, {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    child = started;
    started.on('exit', (status, signal) => {
      if (child === started) child = undefined;
      resolve(signal ? undefined : status === 0);
    });
  });
}

/** The whole group: make and the compilers below it, too. */
function stop() {
  if (!child) return;
  try {
    process.kill(-child.pid);
  } catch {
    // It has just ended.
  }
}

/** The tests of a change: AVA's arguments, or undefined where nothing is to run. */
function testsOf(changed) {
  if (always.length > 0) return always.map(compiled);
  const native = changed.filter((file) => file.startsWith('native/'));
  const files = affected(changed.filter((file) => /^(lib|test)\//.test(file)));
  if (files.length > MOST)
    say(`${files.length} test files load what was changed; running the nearest ${MOST}`);
  const chosen = files.slice(0, MOST).map(compiled);
  if (native.length === 0) return chosen.length > 0 ? chosen : undefined;
  const ops = [...new Set(native.map((file) => basename(file).replace(/\.\w+$/, '')))];
  const cases = ops.every((op) => existsSync(join(ROOT, 'lib', 'ops', `${op}.ts`)));
  return ['dist-test/ops/*.test.js', ...(cases ? ops.map((op) => `--match=* ${op} *`) : []), ...chosen];
}

async function work() {
  const changed = [...pending];
  if (!(await run('scripts/setup.mjs', '--emulation'))) return; // it has said why, or the next change begins anew
  pending = new Set();
  last = testsOf(changed) ?? last;
  if (changed.length > 0) say(changed.join(', '));
  await test();
}

async function test() {
  if (!last) return;
  const passed = await run('node_modules/ava/entrypoints/cli.mjs', ...options, ...last);
  if (passed !== undefined) say(`${passed ? 'passed' : 'failed'}; waiting for changes`);
}

for (const folder of WATCHED) {
  watch(join(ROOT, folder), { recursive: true }, (_event, name) => {
    if (!name || !SOURCE.test(name)) return;
    pending.add(join(folder, name));
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop();
      work();
    }, SETTLED);
  });
}
if (process.stdin.isTTY) {
  process.stdin.on('data', () => {
    stop();
    test();
  });
}
process.on('SIGINT', () => {
  stop();
  process.exit(130);
});
process.on('SIGTERM', () => {
  stop();
  process.exit(143);
});

last = always.length > 0 ? always.map(compiled) : undefined;
say('ready when set up; save a file in lib, test, bench or native');
await work();
