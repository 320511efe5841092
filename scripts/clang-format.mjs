// Formats the C++ sources, or with --check says which are not formatted.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const native = join(dirname(fileURLToPath(import.meta.url)), '..', 'native');
const files = readdirSync(native, { recursive: true })
  .filter((name) => /\.(cpp|h|cu)$/.test(name))
  .map((name) => join(native, name));
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status, error } = spawnSync('clang-format', [...mode, ...files], { stdio: 'inherit' });
if (error) process.stderr.write('clang-format is missing: node scripts/setup.mjs --lint installs it\n');
process.exitCode = status ?? 1;
