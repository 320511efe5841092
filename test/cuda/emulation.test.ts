import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { EMULATED } from '../helpers/device.js';

const PROGRAM = join(__dirname, '..', '..', 'build', 'Release', 'emulation_selftest');
const EXPECTED: Record<string, RegExp> = {
  correct: /^ok$/,
  two_writes: /race, two writes: one\[0\]/,
  read_beside_write: /race|read before any write/,
  write_beside_read: /race, write beside a read/,
  unwritten: /read before any write/,
  beyond_span: /element 64 of a span of 64/,
  beyond_pack: /a pack at element 1/,
  beyond_shared: /no such element: values\[64\]/,
  lost_barrier: /a barrier or shuffle that not all threads reach/,
  lost_shuffle: /a barrier or shuffle that not all threads reach/,
};

(EMULATED ? test : test.skip)('the emulation finds races, accesses out of bounds and lost barriers', (t) => {
  const lines = execFileSync(PROGRAM, { encoding: 'utf8' }).trim().split('\n');
  const outcomes = lines.map((line) => [line.split(': ')[0]!, line.slice(line.indexOf(': ') + 2)] as const);
  t.deepEqual(
    outcomes.map(([name]) => name),
    Object.keys(EXPECTED),
  );
  for (const [name, outcome] of outcomes) t.regex(outcome, EXPECTED[name]!, name);
});
