// Which tests are meant by a name, and which a change touches.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** All test files as they are written: test/ops/nms.test.ts. */
export function testFiles() {
  return readdirSync(join(ROOT, 'test'), { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join('test', name))
    .sort();
}

/** Where tsc puts it: dist-test/ops/nms.test.js. */
export const compiled = (file) => file.replace(/^test/, 'dist-test').replace(/\.ts$/, '.js');

/**
 * The files that a name means: a path (test/ops/nms.test.ts, from any folder of the checkout, or the compiled one), a folder
 * (test/ops, ops) or a name (nms, nms.test.ts). Empty where there is none.
 */
export function named(name, files = testFiles()) {
  const path = relative(ROOT, resolve(name))
    .replace(/^dist-test\b/, 'test')
    .replace(/\.js$/, '.ts');
  if (files.includes(path)) return [path];
  const folder = [path, join('test', name)].find((each) => files.some((file) => file.startsWith(`${each}/`)));
  if (folder) return files.filter((file) => file.startsWith(`${folder}/`));
  const wanted = basename(name).replace(/(\.test)?(\.[jt]s)?$/, '');
  return files.filter((file) => basename(file, '.test.ts') === wanted);
}

/** Names that `named` knows, for telling of the nearest one. */
export const names = (files = testFiles()) => [
  ...new Set(files.flatMap((file) => [file, basename(file, '.test.ts')])),
];

/** The modules of lib and test that a compiled one requires, as they are written. */
function requires(source, known) {
  const from = /^lib\//.test(source) ? source.replace(/^lib/, 'dist') : source.replace(/^test/, 'dist-test');
  const file = join(ROOT, from.replace(/\.ts$/, '.js'));
  if (!existsSync(file)) return [];
  const found = readFileSync(file, 'utf8').matchAll(/require\("(\.[^"]+)\.js"\)/g);
  return [...found]
    .map(([, path]) => `${relative(ROOT, join(dirname(file), path))}.ts`)
    .map((path) => path.replace(/^dist-test\//, 'test/').replace(/^dist\//, 'lib/'))
    .filter((path) => known.has(path));
}

/** Test files that load any of `changed` (paths in lib or test): those of its name first, then those with the shortest way. */
export function affected(changed) {
  const sources = ['lib', 'test'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  const known = new Set(sources);
  const users = new Map();
  for (const source of sources)
    for (const used of requires(source, known)) users.set(used, [...(users.get(used) ?? []), source]);
  const seen = new Set(changed);
  for (const each of seen) for (const user of users.get(each) ?? []) seen.add(user);
  const stems = new Set(changed.map((file) => basename(file).replace(/\..*$/, '')));
  const own = (file) => (stems.has(basename(file, '.test.ts')) ? 0 : 1);
  return [...seen].filter((file) => file.endsWith('.test.ts')).sort((a, b) => own(a) - own(b));
}
