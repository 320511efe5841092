/** What bytes, and JSON values, are changed into. All follows from the random numbers that are passed in. */

const BYTES = [0, 1, 0x7f, 0x80, 0xff, 0x20, 0x30];
const WORDS = [
  0, 1, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x10000, 0x40000000,
];
/** Sizes of what is cut out, put in or repeated; mostly small. */
const span = (random, most) => Math.min(most, 1 + random.int(random.chance(0.8) ? 16 : 512));

/** `bytes` with one to several changes; `others` are inputs to splice with, `dictionary` tokens to put in. */
export function mutateBytes(random, bytes, { others = [], dictionary = [], maxLength = 65536 } = {}) {
  let out = Buffer.from(bytes);
  for (let left = 1 + random.int(random.chance(0.5) ? 2 : 8); left > 0; left--) {
    out = changeOnce(random, out, others, dictionary);
  }
  return out.subarray(0, maxLength);
}

function changeOnce(random, bytes, others, dictionary) {
  const at = random.int(bytes.length + 1);
  const replace = (from, to, middle) =>
    Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(Math.min(to, bytes.length))]);
  if (bytes.length === 0) return Buffer.from([random.int(256), random.int(256), random.int(256)]);
  const place = Math.min(at, bytes.length - 1);
  switch (random.int(11)) {
    case 0:
      bytes[place] ^= 1 << random.int(8);
      return bytes;
    case 1:
      bytes[place] = random.pick(BYTES);
      return bytes;
    case 2:
      bytes[place] = random.int(256);
      return bytes;
    case 3:
      bytes[place] += random.pick([1, -1, 16, -16]);
      return bytes;
    case 4: {
      if (bytes.length < 4) return bytes;
      const word = random.chance(0.7) ? random.pick(WORDS) : random.int(bytes.length + 8);
      const from = Math.min(place, bytes.length - 4);
      if (random.chance(0.5)) bytes.writeUInt32LE(word, from);
      else bytes.writeUInt32BE(word, from);
      return bytes;
    }
    case 5: {
      if (bytes.length < 2) return bytes;
      const from = Math.min(place, bytes.length - 2);
      if (random.chance(0.5)) bytes.writeUInt16LE(random.pick(WORDS) & 0xffff, from);
      else bytes.writeUInt16BE(random.pick(WORDS) & 0xffff, from);
      return bytes;
    }
    case 6:
      return replace(at, at + span(random, bytes.length), Buffer.alloc(0));
    case 7: {
      const from = random.int(bytes.length);
      return replace(at, at, bytes.subarray(from, from + span(random, bytes.length)));
    }
    case 8:
      return replace(at, at, Buffer.from(Array.from({ length: span(random, 16) }, () => random.int(256))));
    case 9: {
      if (dictionary.length === 0) return bytes;
      const token = Buffer.from(random.pick(dictionary), 'latin1');
      return replace(at, random.chance(0.5) ? at + token.length : at, token);
    }
    default: {
      if (others.length === 0) return bytes.subarray(0, at);
      const other = random.pick(others);
      const from = random.int(other.length + 1);
      return replace(
        at,
        random.chance(0.5) ? bytes.length : at,
        other.subarray(from, from + 4 * span(random, 1024)),
      );
    }
  }
}

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  2,
  0.5,
  1e-320,
  1e300,
  -1e300,
  255,
  256,
  65536,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  1e21,
  1e6,
];
const TEXTS = [
  '',
  ' ',
  '0',
  '1',
  'a',
  '__proto__',
  'constructor',
  'length',
  '../x',
  '/',
  '\0',
  'NaN',
  'é\u{1f600}',
  '\ud800',
  'x'.repeat(300),
];
/** Of JSON texts, these are no JSON numbers; they are put in as text. */
const RAW = [
  'NaN',
  'Infinity',
  '-Infinity',
  '1e999',
  '-1e999',
  '00',
  '1e-999',
  '123456789012345678901234567890',
];

const anyValue = (random, depth = 0) => {
  switch (random.int(depth > 2 ? 5 : 8)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick(NUMBERS);
    case 3:
      return random.pick(TEXTS);
    case 4:
      return random.int(1000) - 100;
    case 5:
      return Array.from({ length: random.int(4) }, () => anyValue(random, depth + 1));
    case 6:
      return Object.fromEntries(
        Array.from({ length: random.int(3) }, () => [random.pick(TEXTS), anyValue(random, depth + 1)]),
      );
    default: {
      let nested = [];
      for (let i = random.int(2000); i > 0; i--) nested = [nested];
      return nested;
    }
  }
};

/** Every place of a JSON value: the container and the key in it. */
function placesOf(root) {
  const places = [];
  const left = [root];
  while (left.length > 0 && places.length < 5000) {
    const container = left.pop();
    if (typeof container !== 'object' || container === null) continue;
    for (const key of Object.keys(container)) {
      places.push([container, key]);
      left.push(container[key]);
    }
  }
  return places;
}

/** `changeJson`, or the input as it is where a value is deeper than the stack. */
export function mutateJson(random, bytes, options = {}) {
  try {
    return changeJson(random, bytes, options);
  } catch (error) {
    if (error instanceof RangeError) return bytes;
    throw error;
  }
}

/** JSON text with values exchanged, dropped, doubled, renamed or of another type; `keys` are names to put in. */
function changeJson(random, bytes, { others = [], keys = [], maxLength = 65536, dictionary = [] } = {}) {
  if (random.chance(0.25))
    return mutateBytes(random, bytes, { others, maxLength, dictionary: [...RAW, ...dictionary] });
  let root;
  try {
    root = JSON.parse(bytes.toString('utf8'));
  } catch {
    return mutateBytes(random, bytes, { others, maxLength });
  }
  const holder = { root };
  for (let left = 1 + random.int(3); left > 0; left--) {
    const places = placesOf(holder);
    const [container, key] = random.pick(places);
    const [other, otherKey] = random.pick(places);
    switch (random.int(8)) {
      case 0:
        if (container !== holder) {
          if (Array.isArray(container)) container.splice(Number(key), 1);
          else delete container[key];
        }
        break;
      case 1:
        container[key] = structuredClone(other[otherKey]);
        break;
      case 2:
        if (Array.isArray(container)) container.push(structuredClone(container[key]));
        else if (container !== holder)
          container[random.pick(keys.length > 0 ? keys : TEXTS)] = container[key];
        break;
      case 3:
        if (typeof container[key] === 'number') container[key] = random.pick(NUMBERS);
        else if (typeof container[key] === 'string')
          container[key] = mutateBytes(random, Buffer.from(container[key]), {}).toString();
        else container[key] = anyValue(random);
        break;
      case 4:
        if (typeof container[key] === 'number') container[key] += random.pick([1, -1, 0.5, 1000]);
        break;
      case 5:
        if (container !== holder && keys.length > 0 && !Array.isArray(container))
          container[random.pick(keys)] = anyValue(random);
        break;
      default:
        container[key] = anyValue(random);
    }
  }
  let text = JSON.stringify(holder.root) ?? '';
  if (random.chance(0.1)) text = text.replace(/-?\d+(\.\d+)?/, random.pick(RAW));
  return Buffer.from(text).subarray(0, maxLength);
}
