import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { architectureFits, judgeCuda } from '../../dist/cuda.js';

const ROOT = join(__dirname, '..', '..');
const BUILT = '80 90 90a 90-ptx';
const gpu = (computeCapability: string) => ({
  name: 'GPU',
  computeCapability,
  memory: 2 ** 37,
  freeMemory: 2 ** 36,
});

test('code runs on its own generation from its own step on, PTX on all newer ones', (t) => {
  const fits = (architectures: string) =>
    ['7.5', '8.0', '8.6', '8.9', '9.0', '10.0', '12.0'].filter((c) => architectureFits(architectures, c));
  t.deepEqual(fits(BUILT), ['8.0', '8.6', '8.9', '9.0', '10.0', '12.0']);
  t.deepEqual(fits('80'), ['8.0', '8.6', '8.9']);
  t.deepEqual(fits('86'), ['8.6', '8.9']);
  t.deepEqual(fits('90a'), ['9.0']);
  t.deepEqual(fits('90-ptx'), ['9.0', '10.0', '12.0']);
  t.deepEqual(fits('100'), ['10.0']);
  t.deepEqual(fits(''), []);
});

test('the verdict names the GPUs that fit, or why there is none', (t) => {
  const judge = (gpus: ReturnType<typeof gpu>[], problem = '') =>
    judgeCuda({ problem, architectures: BUILT, gpus });
  t.deepEqual(judge([gpu('9.0')]), { gpus: [0], reason: '' });
  t.deepEqual(judge([gpu('7.5'), gpu('8.6')]), { gpus: [1], reason: '' });
  t.is(judge([gpu('7.5')]).reason, 'this GPU is sm_75, this build has sm_80, sm_90, sm_90a, PTX for sm_90');
  t.is(judge([]).reason, 'the driver shows no GPU');
  t.is(judge([gpu('9.0')], 'no NVIDIA driver').reason, 'no NVIDIA driver');
});

/** A folder with the addon beside a plugin that needs a library which is nowhere, and a driver in a folder of its own. */
function machine(): { folder: string; driver: string } {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  const library = (name: string, needs: string[] = []) =>
    execFileSync('g++', [
      ...['-shared', '-fPIC', '-x', 'c++', '/dev/null', '-x', 'none', '-Wl,--no-as-needed'],
      ...needs,
      ...[`-Wl,-soname,${name.split('/').pop()}`, '-o', join(folder, name)],
    ]);
  library('libcublasLt.so.13');
  library('libnlrcnn_cuda.so', [join(folder, 'libcublasLt.so.13')]);
  rmSync(join(folder, 'libcublasLt.so.13'));
  const driver = mkdtempSync(join(folder, 'driver-'));
  library(`${driver.slice(folder.length + 1)}/libcuda.so.1`);
  copyFileSync(join(ROOT, 'build', 'Release', 'nlrcnn.node'), join(folder, 'nlrcnn.node'));
  return { folder, driver };
}

function doctor(env: Record<string, string>): { cuda: { verdict: string; libraries: object } } {
  const { NLRCNN_CUDA_PLUGIN: _, ...rest } = process.env;
  const args = [join(ROOT, 'dist', 'cli', 'main.js'), 'doctor', '--json'];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env: { ...rest, ...env } }));
}

test('doctor tells a missing driver from a missing library', (t) => {
  const { folder, driver } = machine();
  const binary = { NLRCNN_BINARY: join(folder, 'nlrcnn.node'), NLRCNN_CUDA_LIBRARIES: folder };
  if (!process.env.NLRCNN_TEST_DEVICE) {
    t.is(doctor(binary).cuda.verdict, 'CUDA is not used: no NVIDIA driver (libcuda.so.1 not found)');
  }
  const { verdict, libraries } = doctor({ ...binary, LD_LIBRARY_PATH: driver }).cuda;
  t.regex(verdict, /CUDA is not used: libcublasLt\.so\.13 is missing: install it/);
  t.like(libraries, { 'libcublasLt.so.13': null, 'libcuda.so.1': join(driver, 'libcuda.so.1') });
  rmSync(folder, { recursive: true });
});
