import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mutateBytes } from '../mutate.mjs';
import { fixture, load, scratch } from '../package.mjs';
import { unzip, zip } from '../zip.mjs';

const { readStateDict } = load('weights/load.js');
const folder = scratch('pytorch');

/** The committed checkpoints that PyTorch wrote, of both forms. */
export const seeds = () =>
  ['', 'forms'].flatMap((part) => {
    const place = fixture(join('checkpoints', part));
    let names = [];
    try {
      names = readdirSync(place).sort();
    } catch {}
    return names
      .filter((name) => /\.(pth|pt|pkl|bin)$/.test(name))
      .map((name) => readFileSync(join(place, name)));
  });

const TEXTS = [
  '\x80\x02',
  '}',
  '(',
  'u.',
  '.',
  ')',
  ']',
  'q\x00',
  'h\x00',
  'h\xff',
  'r\xff\xff\xff\x7f',
  'j\x00\x00\x00\x00',
  'X\xff\xff\xff\xff',
  'X\x01\x00\x00\x00a',
  'R',
  'Q',
  'b',
  's',
  't',
  '\x85',
  '\x86',
  '\x87',
  '0',
  '2',
  'N',
  '\x88',
  'K\x01',
  'M\xff\xff',
  'J\xff\xff\xff\xff',
  '\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f',
  '\x8b\xff\xff\xff\x7f',
  '\x8b\x00\x10\x00\x00',
  '\x95\xff\xff\xff\xff\xff\xff\xff\x7f',
  '\x94',
  '\x93',
  '\x81',
  '\x92',
  '\x96',
  '\x8e',
  'G\x7f\xf0\x00\x00\x00\x00\x00\x00',
  'ctorch._utils\n_rebuild_tensor_v2\n',
  'ctorch._utils\n_rebuild_parameter\n',
  'ccollections\nOrderedDict\n',
  'ctorch\nFloatStorage\n',
  'ctorch\nDoubleStorage\n',
  'ctorch\nLongStorage\n',
  'X\x07\x00\x00\x00storage',
  'I1\n',
  'L1L\n',
  "S'a'\n",
  'Va\n',
  'F1.5\n',
  'l',
  'd',
  'a',
  'e',
  'p0\n',
  'g0\n',
  'P0\n',
  'i',
  'o',
];
export const options = { dictionary: TEXTS, maxLength: 65536 };

/** One entry of the archive is changed, a name is, or one is left out or doubled; or any byte of the file. */
export function mutate(random, bytes, given) {
  const entries = random.chance(0.75) ? unzip(bytes) : undefined;
  if (!entries) return mutateBytes(random, bytes, given);
  const at = random.int(entries.length);
  const choice = random.int(10);
  if (choice === 0) entries.splice(at, 1);
  else if (choice === 1) entries.push(entries[at]);
  else if (choice === 2)
    entries[at] = [
      mutateBytes(random, Buffer.from(entries[at][0], 'latin1'), {}).toString('latin1'),
      entries[at][1],
    ];
  else {
    const pickle = entries.findIndex(([name]) => name.endsWith('data.pkl'));
    const place = choice < 9 && pickle >= 0 ? pickle : at;
    entries[place] = [entries[place][0], mutateBytes(random, entries[place][1], { ...given, others: [] })];
  }
  return zip(entries);
}

export async function run(bytes) {
  const path = join(folder, 'x.pth');
  writeFileSync(path, bytes);
  await readStateDict(path);
}
