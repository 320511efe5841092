import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readJsonLists } from '../../dist/json/read.js';
import { JsonSplitter } from '../../dist/json/splitter.js';

const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
test.after.always(() => rmSync(folder, { recursive: true }));
let count = 0;
function write(content: string | Uint8Array): string {
  const path = join(folder, `${count++}.json`);
  writeFileSync(path, content);
  return path;
}

/** Keeps entries. */
class Kept {
  values: unknown[] | undefined;
  begin(): void {
    this.values = [];
  }
  entry(value: unknown, index: number): void {
    if (index !== this.values!.length) throw new Error('out of order');
    this.values!.push(value);
  }
}

/** Lists a and b of an object, or the root's entries, of text that comes `size` bytes at a time. */
function split(text: string, size: number) {
  const [a, b, root] = [new Kept(), new Kept(), new Kept()];
  const splitter = new JsonSplitter(
    new Map([
      ['a', a],
      ['b', b],
    ]),
    root,
  );
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) splitter.write(bytes.subarray(at, at + size));
  splitter.end();
  return { a: a.values, b: b.values, root: root.values };
}

const SIZES = [...Array.from({ length: 40 }, (_, i) => i + 1), 64, 1 << 20];

const TEXTS = [
  '{"a": [1, "x", null, {"c": [1, 2, {"d": "}]"}]}, [[], {}], true, -1.5e3]}',
  ' \t\r\n{ "b" : [ ] , "skip": {"a": [1, 2], "s": "a\\"]}{\\\\"}, "a": [ {} , [] ] }\n ',
  '{"a": ["\\\\", "\\"", "\\u0041é😀", ",", "]"], "t": true, "n": null, "f": -0.5e-7, "s": "\\\\"}',
  '{"b": [{"NaN": "Infinity", "I": "N"}, "-Infinity"], "x": [[[[]]]], "a\\u0062": [5]}',
  '[{"image_id": 1}, [2], "3"]',
  `{"a": [${' '.repeat(3000)}], "b": [${'\n'.repeat(70)}1${' '.repeat(70)}]}`,
  '{}',
  '[]',
  `{"${'k'.repeat(1000)}": ["a"], "a": [1]}`,
];

for (const [i, text] of TEXTS.entries()) {
  test(`text ${i}: entries are those of JSON.parse, however the bytes arrive`, (t) => {
    const value = JSON.parse(text) as { a?: unknown[]; b?: unknown[] } | unknown[];
    for (const size of SIZES) {
      const { a, b, root } = split(text, size);
      if (Array.isArray(value)) t.deepEqual(root, value);
      else t.deepEqual({ a, b }, { a: value.a, b: value.b });
    }
  });
}

/** A pseudo-random JSON value, the same for the same seed. */
function randomValue(random: () => number, depth: number): unknown {
  const kind = Math.floor(random() * (depth > 0 ? 7 : 5));
  if (kind === 0) return Math.round(random() * 1e6) / 100 - 5000;
  if (kind === 1) return random() < 0.5;
  if (kind === 2) return null;
  if (kind < 5) {
    const characters = '"\\{}[],: Né\nI𝄞a0';
    return Array.from(
      { length: Math.floor(random() * 8) },
      () => [...characters][Math.floor(random() * 16)],
    ).join('');
  }
  const length = Math.floor(random() * 4);
  const items = Array.from({ length }, () => randomValue(random, depth - 1));
  return kind === 5
    ? items
    : Object.fromEntries(items.map((item, i) => [`${i}${randomValue(random, 0)}`, item]));
}

test('random values come out as they went in', (t) => {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let round = 0; round < 300; round++) {
    const list = (n: number) => Array.from({ length: n }, () => randomValue(random, 4));
    const value = { x: randomValue(random, 4), a: list(5), y: randomValue(random, 4), b: list(2) };
    const text = JSON.stringify(value, null, round % 3);
    const { a, b } = split(text, 1 + (round % 50));
    t.deepEqual({ a, b }, { a: value.a, b: value.b });
  }
});

test('NaN and Infinity, as Python writes them', (t) => {
  const text =
    '{"x": NaN, "y": -Infinity, "z": [Infinity], "a": [NaN, -Infinity, {"n": Infinity, "s": "NaN, \\"Infinity"}], "b": [1]}';
  for (const size of SIZES) {
    const { a, b } = split(text, size);
    t.deepEqual(a, [Number.NaN, -Infinity, { n: Infinity, s: 'NaN, "Infinity' }]);
    t.deepEqual(b, [1]);
  }
});

test('of keys that are there twice the last one counts; __proto__ is a key like others', (t) => {
  const { a } = split('{"a": [1, 2], "b": [], "a": [3]}', 4);
  t.deepEqual(a, [3]);
  const proto = split('{"__proto__": {"a": [1]}, "a": [{"__proto__": {"polluted": 1}}]}', 5).a!;
  t.is(proto.length, 1);
  t.is((proto[0] as { polluted?: number }).polluted, undefined);
  t.is(({} as { polluted?: number }).polluted, undefined);
});

const BROKEN: [string, RegExp][] = [
  ['', /empty/],
  ['  \n', /empty/],
  ['5', /unexpected 5 at byte 0/],
  ['{"a": [1', /ends too early, after 8 bytes/],
  ['{"a": [1]', /ends too early/],
  ['{"a": [1]} x', /unexpected x at byte 11/],
  ['{"a": [1,]}', /in a from entry 0 on|an entry of a is missing/],
  ['{"a": [1,,2]}', /in a from entry|an entry of a is missing/],
  ['{"a": [1}', /unexpected } at byte 8/],
  ['{"a": [{"x": 1]}', /unexpected ] at byte 14/],
  ['{"x": [}', /unexpected } at byte 7/],
  ['{"x": tru, "a": []}', /x is tru/],
  ['{"x": 01}', /x is 01/],
  ["{'a': []}", /unexpected ' at byte 1/],
  ['{"a" [1]}', /unexpected \[/],
  ['{"a": [x y]}', /in a from entry 0 on/],
  ['{"a": [1]; "b": []}', /unexpected ;/],
  ['['.repeat(1e6), /nested deeper than 256 levels/],
  ['['.repeat(1e6) + ']'.repeat(1e6), /nested deeper/],
  ['{"x":'.repeat(1e6), /nested deeper/],
  [`{"x": ${'['.repeat(1e6)}${']'.repeat(1e6)}}`, /nested deeper/],
  [`{"a": [${'{"x":'.repeat(300)}1${'}'.repeat(300)}]}`, /nested deeper/],
  ['{"a": 5}', /no list of a/],
  ['{"a": {}}', /no list of a/],
  ['{"a": null}', /no list of a/],
  ['{"a": "[]"}', /no list of a/],
];

test('text that is no JSON is refused with the place', async (t) => {
  for (const [text, message] of BROKEN) {
    for (const size of [1, 5, 1 << 20]) {
      if (text.length > 1e5 && size < 1 << 20) continue;
      t.throws(() => split(text, size), { message });
    }
    const lists = { a: new Kept() };
    await t.throwsAsync(readJsonLists(write(text), 'lists', { lists, root: new Kept() }), {
      code: 'ERR_NLRCNN_DATASET',
      message: /^Expected lists in .*\.json but it /,
    });
  }
});

test('files: byte-order marks, UTF-16, missing ones', async (t) => {
  const read = async (path: string) => {
    const a = new Kept();
    await readJsonLists(path, 'lists', { lists: { a } });
    return a.values;
  };
  const text = '{"a": ["é😀", 1]}';
  const swapped = Buffer.from(`\ufeff${text}`, 'utf16le').swap16();
  for (const bytes of [
    Buffer.from(text),
    Buffer.from(`\ufeff${text}`),
    Buffer.from(`\ufeff${text}`, 'utf16le'),
    swapped,
  ]) {
    t.deepEqual(await read(write(bytes)), ['é😀', 1]);
  }
  await t.throwsAsync(read(join(folder, 'none.json')), {
    code: 'ERR_NLRCNN_IO',
    message: /none\.json cannot be read/,
  });
  await t.throwsAsync(read(folder), { code: 'ERR_NLRCNN_IO', message: /cannot be read/ });
  await t.throwsAsync(read(write('[1]')), { code: 'ERR_NLRCNN_DATASET', message: /but it is a list/ });
});

test('entries that lie across the pieces in which a file is read', async (t) => {
  const entries = Array.from({ length: 30 }, (_, i) => ({ i, text: `${'[é"\\'.repeat(30_000)}${i}` }));
  const a = new Kept();
  await readJsonLists(write(JSON.stringify({ a: entries })), 'lists', { lists: { a } });
  t.deepEqual(a.values, entries);
});

test('a file larger than the longest string is read in little memory', async (t) => {
  const path = join(folder, 'large.json');
  const file = openSync(path, 'w');
  // A hole of zeros in a value that nobody asks for takes no room on the disk.
  const size = 540 * 2 ** 20;
  writeSync(file, '{"info": {"x": "');
  ftruncateSync(file, size);
  writeSync(file, '"}, "a": [{"id": 1}, {"id": 2}]}', size);
  closeSync(file);
  const a = new Kept();
  const before = process.memoryUsage.rss();
  await readJsonLists(path, 'lists', { lists: { a } });
  t.deepEqual(a.values, [{ id: 1 }, { id: 2 }]);
  t.true(process.memoryUsage.rss() - before < 300 * 2 ** 20);
});
