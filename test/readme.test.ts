import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';

const ROOT = join(__dirname, '..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
const snippets = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);

/** A project that has the package installed and a picture. */
function project(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules', 'nonlocal-rcnn'));
  copyFileSync(join(ROOT, 'models', 'samples', 'touching.png'), join(folder, 'cells.png'));
  return folder;
}

test('the ESM example runs as it stands', (t) => {
  const folder = project();
  // Node below 24 has no `using` of its own; TypeScript would turn it into this.
  writeFileSync(join(folder, 'main.mjs'), snippets[0]!.replace('using model', 'const model'));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['main.mjs'], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
  t.regex(stdout, /nucleus 0\.\d+ \[/);
  t.true(existsSync(join(folder, 'cells.overlay.png')));
});

test('the CommonJS example runs as it stands', (t) => {
  const folder = project();
  writeFileSync(join(folder, 'main.cjs'), snippets[1]!);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['main.cjs'], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
  t.regex(stdout, /^\d+ \[ 256, 256 \] \[ 256, 256 \]\n$/);
});

test('types resolve for ESM and CommonJS users', (t) => {
  const folder = project();
  const use = `const result: Promise<Segmentation> = loadModel().then((model) => model.segment('cells.png'));\nexport { result };\n`;
  const imports = `import { loadModel, type Segmentation } from 'nonlocal-rcnn';\n`;
  writeFileSync(join(folder, 'a.mts'), imports + use);
  writeFileSync(join(folder, 'b.cts'), imports + use);
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  const flags = [
    '--noEmit',
    '--strict',
    '--module',
    'node20',
    '--moduleResolution',
    'node16',
    '--target',
    'es2022',
    '--skipLibCheck',
    'false',
  ];
  const types = [
    '--typeRoots',
    join(ROOT, 'node_modules', '@types'),
    '--types',
    'node',
    '--lib',
    'es2023,esnext.disposable',
  ];
  const { status, stdout } = spawnSync(tsc, [...flags, ...types, 'a.mts', 'b.cts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  t.is(status, 0, stdout);
});
