import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { fixture } from '../helpers/datasets.js';

const ROOT = join(__dirname, '..', '..');
const FIXTURES = join(ROOT, 'test', 'fixtures', 'coco-eval');
const SAMPLE = join(ROOT, 'models', 'samples', 'touching.png');

/** The JavaScript of a page of docs/. */
function snippets(page: string): string[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
  return [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);
}

const EXAMPLES: [page: string, index: number, files: Record<string, string>, output: RegExp][] = [
  ['datasets.md', 0, { cells: fixture('labelmaps') }, /^([ac]\.png \d+ objects\n)+$/],
  ['datasets.md', 1, {}, /^square \d: [\d,]+; square \d: [\d,]+\n$/],
  [
    'evaluation.md',
    0,
    {
      'instances.json': join(FIXTURES, 'mixed.gt.json'),
      'results.json': join(FIXTURES, 'mixed.results.json'),
      'cells.png': SAMPLE,
    },
    /^AP 0\.\d+ of \d classes\n0\.\d+\n$/,
  ],
];

for (const [page, index, files, output] of EXAMPLES) {
  test(`docs/${page}: example ${index + 1} runs as it stands`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'nonlocal-rcnn'));
    for (const [name, from] of Object.entries(files)) cpSync(from, join(folder, name), { recursive: true });
    // `using` is not in the oldest Node that is supported.
    const own = snippets(page)[index]!.replace(/^using /gm, 'const ');
    writeFileSync(join(folder, 'main.mjs'), own);
    const run = spawnSync(process.execPath, ['main.mjs'], { cwd: folder, encoding: 'utf8' });
    t.is(run.status, 0, run.stderr);
    t.is(run.stderr, '');
    t.regex(run.stdout, output);
  });
}
