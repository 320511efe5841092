// Sets up what is missing and runs the tests, or those that are named.
//
//   npm test                                    all
//   npm test -- test/ops/nms.test.ts            a file; also its name alone (nms), or a folder (ops)
//   npm test -- nms --match '*softmax*'         tests whose title fits; every option of AVA works

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiled, named, names } from './test-files.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** AVA's options that have a value behind them. */
const VALUED = ['-m', '--match', '-T', '--timeout', '-c', '--concurrency', '--config', '--node-arguments'];

function node(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const args = process.argv.slice(2);
const files = [];
const options = [];
const unknown = [];
for (let i = 0; i < args.length; i++) {
  if (VALUED.includes(args[i])) options.push(args[i++], args[i]);
  else if (args[i].startsWith('-') || args[i].includes('*')) options.push(args[i]);
  else {
    const found = named(args[i]);
    if (found.length === 0) unknown.push(args[i]);
    files.push(...found.map(compiled));
  }
}

node('scripts/setup.mjs', '--emulation');
if (unknown.length > 0) {
  const { closest } = await import('fastest-levenshtein');
  for (const name of unknown)
    process.stderr.write(`No test file is called ${name}; the nearest is ${closest(name, names())}\n`);
  process.exit(2);
}
node('node_modules/ava/entrypoints/cli.mjs', ...options, ...new Set(files));
