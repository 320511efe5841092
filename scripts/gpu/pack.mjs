// Packs what a GPU machine without Node and without a network needs to check this package: sources, compiled JavaScript,
// tests, benchmarks, Node itself, oneDNN and the npm packages they use. The machine has nvcc, CMake, g++, cuBLAS and cuDNN.
//
//   node scripts/gpu/pack.mjs [--out FILE] [--weights]
//
// --weights: with the bundled model's weights, 40 MB more. Run npm test before, so that all is compiled. On the machine:
//
//   tar xf gpu-pack.tar.xz && bash gpu-pack/check.sh --out result.json

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const MOST_BYTES = 50 * 2 ** 20;
/** Beside the packages' own dependencies; the rest of package.json only compiles and checks. */
const DEV_PACKAGES = ['ava', 'node-addon-api', 'node-api-headers'];

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, 'out', 'gpu-pack.tar.xz') },
    weights: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-pack-'));
const pack = join(folder, 'gpu-pack');
const copy = (path, to = path) => cpSync(join(ROOT, path), join(pack, to), { recursive: true });

/** Copies npm packages with all they depend on. */
function copyPackages() {
  const manifest = (path) => JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const wanted = [...Object.keys(manifest(ROOT).dependencies), ...DEV_PACKAGES];
  const seen = new Set();
  for (const name of wanted) {
    const path = join(ROOT, 'node_modules', name);
    if (seen.has(name) || !existsSync(path)) continue;
    seen.add(name);
    const { dependencies = {}, optionalDependencies = {} } = manifest(path);
    wanted.push(...Object.keys(dependencies), ...Object.keys(optionalDependencies));
    copy(join('node_modules', name));
  }
}

/** The file of a library that the addon is linked with. */
function linked(name) {
  const lines = execFileSync('ldd', [join(ROOT, 'build', 'Release', 'nlrcnn.node')], { encoding: 'utf8' });
  const path = lines.match(new RegExp(`${name}\\S* => (\\S+)`))?.[1];
  if (!path) throw new Error(`the addon is not linked with ${name}: run "npm run setup"`);
  return path;
}

/** Node, oneDNN and what that needs, under machine/. */
function copyMachine() {
  const bin = join(pack, 'machine', 'bin');
  const lib = join(pack, 'machine', 'lib');
  for (const path of [bin, lib]) mkdirSync(path, { recursive: true });
  const node = join(bin, 'node');
  cpSync(realpathSync(process.execPath), node);
  spawnSync('strip', [node]);
  for (const name of ['libdnnl', 'libOpenCL']) {
    const path = linked(name);
    cpSync(realpathSync(path), join(lib, path.split('/').at(-1)));
  }
  for (const base of ['/usr/include', '/usr/local/include']) {
    const headers = join(base, 'oneapi');
    if (existsSync(headers)) cpSync(headers, join(pack, 'machine', 'include', 'oneapi'), { recursive: true });
  }
}

try {
  mkdirSync(pack, { recursive: true });
  for (const path of ['native', 'CMakeLists.txt', 'package.json', 'dist', 'dist-test', 'dist-bench'])
    copy(path);
  for (const path of ['test/cases', 'test/goldens', 'test/fixtures', 'bench/peers', 'models']) copy(path);
  copy('scripts/gpu/check.sh', 'check.sh');
  copy('scripts/gpu/check.mjs', 'check.mjs');
  copy('scripts/gpu/sanitize.mjs', 'sanitize.mjs');
  if (!values.weights) {
    for (const name of readdirSync(join(pack, 'models')))
      rmSync(join(pack, 'models', name, 'weights.safetensors'), { force: true });
  }
  copyPackages();
  copyMachine();
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' });
  writeFileSync(join(pack, 'commit'), commit.stdout || 'unknown');
  const out = resolve(values.out);
  mkdirSync(dirname(out), { recursive: true });
  execFileSync('tar', ['-C', folder, '-cJf', out, 'gpu-pack'], { env: { ...process.env, XZ_OPT: '-6 -T0' } });
  const { size } = statSync(out);
  process.stdout.write(`${out}: ${(size / 2 ** 20).toFixed(1)} MiB\n`);
  if (!values.weights && size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES / 2 ** 20} MiB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
