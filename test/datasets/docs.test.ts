import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { fixture } from '../helpers/datasets.js';

const ROOT = join(__dirname, '..', '..');
const text = readFileSync(join(ROOT, 'docs', 'datasets.md'), 'utf8');
const snippets = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);

for (const [name, snippet, output] of [
  ['the loader', snippets[0]!, /^([ac]\.png \d+ objects\n)+$/],
  ['a data set of one’s own', snippets[1]!, /^square \d: [\d,]+; square \d: [\d,]+\n$/],
] as const) {
  test(`docs/datasets.md: the example of ${name} runs as it stands`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(ROOT, join(folder, 'node_modules', 'nonlocal-rcnn'));
    cpSync(fixture('labelmaps'), join(folder, 'cells'), { recursive: true });
    writeFileSync(join(folder, 'main.mjs'), snippet);
    const run = spawnSync(process.execPath, ['main.mjs'], { cwd: folder, encoding: 'utf8' });
    t.is(run.status, 0, run.stderr);
    t.is(run.stderr, '');
    t.regex(run.stdout, output);
  });
}
