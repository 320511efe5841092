// Reads TAP from standard input, repeats it on standard error, and prints "PASSED FAILED".

import { createInterface } from 'node:readline';

let passed = 0;
let failed = 0;
for await (const line of createInterface({ input: process.stdin })) {
  process.stderr.write(`${line}\n`);
  if (/^not ok /.test(line)) failed++;
  else if (/^ok /.test(line) && !/# SKIP/i.test(line)) passed++;
}
process.stdout.write(`${passed} ${failed}\n`);
