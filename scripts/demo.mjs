// Segments the sample pictures with the model that comes with the package.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const samples = join(ROOT, 'models', 'samples');
const out = join(ROOT, 'out');
const images = readdirSync(samples)
  .filter((name) => name.endsWith('.png'))
  .map((name) => relative(process.cwd(), join(samples, name)));
const cli = join(ROOT, 'dist', 'cli', 'main.js');
const { status } = spawnSync(process.execPath, [cli, 'segment', ...images, '--out', out], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
process.stdout.write(`\nNuclei outlined: open ${relative(process.cwd(), out) || '.'}/*.overlay.png\n`);
