import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';

const read = (path: string) => readFileSync(join(__dirname, '..', '..', 'native', path), 'utf8');

test('the fuzz target of ops knows every op', (t) => {
  const ops = [...read('ops/list.h').matchAll(/OP\((\w+)\)/g)].map((match) => match[1]!);
  const fuzzed = new Set([...read('fuzz/specs.h').matchAll(/\{"(\w+)",/g)].map((match) => match[1]!));
  t.true(ops.length > 50);
  t.deepEqual(
    ops.filter((op) => op !== 'OP' && !fuzzed.has(op)),
    [],
  );
});
