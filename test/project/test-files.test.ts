import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';

const ROOT = join(__dirname, '..', '..');

interface TestFiles {
  named(name: string, files?: string[]): string[];
  affected(changed: string[]): string[];
}
const load = (): Promise<TestFiles> => import(pathToFileURL(join(ROOT, 'scripts', 'test-files.mjs')).href);

const FILES = [
  'test/masks/rle.test.ts',
  'test/ops/nms.test.ts',
  'test/ops/norms.test.ts',
  'test/readme.test.ts',
];

for (const [name, files] of [
  ['test/ops/nms.test.ts', ['test/ops/nms.test.ts']],
  [join(ROOT, 'test/ops/nms.test.ts'), ['test/ops/nms.test.ts']],
  ['dist-test/ops/nms.test.js', ['test/ops/nms.test.ts']],
  ['nms', ['test/ops/nms.test.ts']],
  ['nms.test.ts', ['test/ops/nms.test.ts']],
  ['ops', ['test/ops/nms.test.ts', 'test/ops/norms.test.ts']],
  ['test/ops/', ['test/ops/nms.test.ts', 'test/ops/norms.test.ts']],
  ['nm', []],
] as [string, string[]][]) {
  test(`npm test -- ${name.replace(ROOT, '…')}`, async (t) => {
    const { named } = await load();
    t.deepEqual(named(name, FILES), files);
  });
}

test('a change in lib leads to the tests that load it, the nearest first', async (t) => {
  const { affected } = await load();
  const files = affected(['lib/masks/rle.ts']);
  t.is(files[0], 'test/masks/rle.test.ts');
  t.true(files.includes('test/api/model.test.ts'), files.join(', '));
  t.deepEqual(affected(['test/ops/nms.test.ts']), ['test/ops/nms.test.ts']);
});
