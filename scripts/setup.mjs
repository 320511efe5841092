// Makes this checkout ready to run: system packages (Debian, Ubuntu), npm packages, the native addon, the JavaScript.
// Does what is missing and nothing else, so that it can run before every command. Notes go to standard error.
//
//   node scripts/setup.mjs [--lint] [--emulation] [--sanitizers] [--fuzz]
//
// --lint: also what `npm run lint` needs; --emulation: also the CUDA kernels for the CPU, which the tests run;
// --sanitizers: also what scripts/sanitize.mjs needs; --fuzz: also what scripts/fuzz/native.mjs needs.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const NODE = [20, 17];

const say = (text) => process.stderr.write(`setup: ${text}\n`);

function fail(text) {
  say(text);
  process.exit(1);
}

/** Runs a command, its output to standard error. */
function run(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...env },
  });
  return result.status === 0;
}

const succeeds = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Whether an empty program can be made with sanitizers or the fuzzer. */
function sanitizes(compiler, sanitizers) {
  const program = 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }';
  const main = sanitizers.includes('fuzzer') ? program : 'int main() {}';
  const args = ['-x', 'c++', '-o', '/dev/null', '-', `-fsanitize=${sanitizers}`];
  return spawnSync(compiler, args, { input: main, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
}

/** Whether a program compiles against a header and links. */
function links(header, library) {
  const source = `#include <${header}>\nint main() {}\n`;
  const args = ['-x', 'c++', '-std=c++20', '-o', '/dev/null', '-', `-l${library}`];
  return spawnSync('g++', args, { input: source, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
}

function systemPackages() {
  const wanted = [];
  if (!succeeds('g++', ['--version']) || !succeeds('make', ['--version'])) wanted.push('build-essential');
  if (!succeeds('cmake', ['--version'])) wanted.push('cmake');
  if (wanted.includes('build-essential') || !links('oneapi/dnnl/dnnl.hpp', 'dnnl'))
    wanted.push('libdnnl-dev');
  if (process.argv.includes('--lint') && !succeeds('clang-format', ['--version']))
    wanted.push('clang-format');
  // The sanitizers' runtimes come with g++; libFuzzer's with clang.
  if (process.argv.includes('--sanitizers') && !sanitizes('g++', 'address,undefined')) wanted.push('g++');
  if (process.argv.includes('--fuzz') && !sanitizes('clang++', 'fuzzer,address,undefined'))
    wanted.push('clang', 'libclang-rt-dev');
  if (wanted.length === 0) return;
  const install = `apt-get install -y ${wanted.join(' ')}`;
  if (!succeeds('apt-get', ['--version']))
    fail(`${wanted.join(', ')} missing and no apt-get here: install them, then run this again`);
  const root = process.getuid() === 0;
  if (!root && !succeeds('sudo', ['-n', 'true']) && !process.stdin.isTTY)
    fail(`${wanted.join(', ')} missing: run "sudo ${install}"`);
  say(`installing ${wanted.join(', ')}${root ? '' : ' with sudo'}`);
  const apt = (...args) => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    return root
      ? run('apt-get', args, env)
      : run('sudo', ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args]);
  };
  const packages = ['install', '-y', '--no-install-recommends', ...wanted];
  if (!apt(...packages) && !(apt('update') && apt(...packages)))
    fail(`installing failed: run "${install}" as root`);
}

/** Digest of files and folders, for telling whether something was built from what is here now. */
function digest(...paths) {
  const hash = createHash('sha256');
  const add = (path) => {
    hash.update(path);
    hash.update(readFileSync(join(ROOT, path)));
  };
  for (const path of paths) {
    if (!existsSync(join(ROOT, path))) continue;
    const entries = /\.\w+$/.test(path)
      ? null
      : readdirSync(join(ROOT, path), { recursive: true, withFileTypes: true });
    if (!entries) add(path);
    for (const entry of entries ?? []) {
      if (!entry.isFile() || !/\.(cpp|cu|h|m?ts|json|cmake|txt)$/.test(entry.name)) continue;
      add(join(entry.parentPath, entry.name).slice(ROOT.length + 1));
    }
  }
  return hash.digest('hex');
}

/** Runs `make` unless `stamp` says that it was done from the same digest. */
function once(stamp, what, key, make) {
  const path = join(ROOT, stamp);
  if (existsSync(path) && readFileSync(path, 'utf8') === key) return;
  say(what);
  if (!make()) fail(`${what} failed`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, key);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NODE[0] || (major === NODE[0] && minor < NODE[1]))
  fail(`Node ${NODE.join('.')} or newer is needed, this is ${process.version}`);
systemPackages();
once('node_modules/.nlrcnn', 'installing npm packages', digest('package-lock.json'), () =>
  run('npm', ['ci', '--no-audit', '--no-fund']),
);
const native = digest('native', 'CMakeLists.txt', 'package-lock.json');
const compile = ['cmake-js', 'compile', '--parallel', String(availableParallelism()), '--log-level', 'error'];
once('build/.nlrcnn', 'building the native addon (about two minutes)', native, () => run('npx', compile));
if (process.argv.includes('--emulation')) {
  const configure = ['cmake-js', 'configure', '--CDNLRCNN_EMULATION=ON', '--log-level', 'error'];
  once(
    'build/.nlrcnn-emulation',
    'building the emulated CUDA kernels (about a minute)',
    native,
    () => run('npx', configure) && run('npx', compile),
  );
}
once(
  'dist/.nlrcnn',
  'compiling TypeScript',
  digest('lib', 'test', 'bench', 'binding.d.ts', 'tsconfig.json'),
  () =>
    ['tsconfig.json', 'tsconfig.test.json', 'tsconfig.bench.json'].every((config) =>
      run('npx', ['tsc', '-p', config]),
    ),
);
