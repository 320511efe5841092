import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { ensure } from '../findings.mjs';
import { MOST_PIXELS } from '../limits.mjs';
import { mutateBytes } from '../mutate.mjs';
import { fixture, load, scratch } from '../package.mjs';

const { decodeImage } = load('index.js');
const { readLabelImage } = load('datasets/label-image.js');
const folder = scratch('image');

export const seeds = () =>
  readdirSync(fixture('images'))
    .filter((name) => /\.(png|jpe?g|tiff?|webp)$/.test(name))
    .sort()
    .map((name) => readFileSync(join(fixture('images'), name)))
    .filter(({ length }) => length < 4096);

export const options = {
  dictionary: [
    'IHDR',
    'PLTE',
    'tRNS',
    'IDAT',
    'IEND',
    'acTL',
    'iCCP',
    'eXIf',
    'gAMA',
    '\xff\xd8',
    '\xff\xc0',
    '\xff\xc4',
    '\xff\xda',
    '\xff\xe1\x00\x20Exif\0\0',
    'VP8 ',
    'VP8L',
    'VP8X',
    'ALPH',
    'ANIM',
    'EXIF',
    'II*\0',
    'MM\0*',
    '\x00\x01',
    '\x01\x01',
    '\x12\x01',
    '\x11\x01',
    '\x1c\x01',
    '\x42\x01',
    '\x53\x01',
  ],
};

const SIGNATURE = 8;

/** Chunks of a PNG: type and content. */
function chunksOf(bytes) {
  const chunks = [];
  for (let at = SIGNATURE; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (at + 12 + length > bytes.length) return undefined;
    chunks.push([bytes.subarray(at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  return chunks.length > 0 ? chunks : undefined;
}

function pngOf(signature, chunks) {
  const parts = chunks.map(([type, content]) => {
    const out = Buffer.alloc(12 + content.length);
    out.writeUInt32BE(content.length, 0);
    type.copy(out, 4);
    content.copy(out, 8);
    out.writeUInt32BE(crc32(out.subarray(4, 8 + content.length)), 8 + content.length);
    return out;
  });
  return Buffer.concat([signature, ...parts]);
}

/** A chunk of a PNG is changed and gets its right checksum, or (of pixels) its right compression; or any byte. */
export function mutate(random, bytes, given) {
  const png = bytes.subarray(1, 4).toString('latin1') === 'PNG' && random.chance(0.7);
  const chunks = png ? chunksOf(bytes) : undefined;
  if (!chunks) return mutateBytes(random, bytes, given);
  const at = random.int(chunks.length);
  const [type, content] = chunks[at];
  const choice = random.int(10);
  if (choice === 0) chunks.splice(at, 1);
  else if (choice === 1) chunks.splice(random.int(chunks.length), 0, chunks[at]);
  else if (type.toString() === 'IDAT' && random.chance(0.7)) {
    let pixels = content;
    try {
      pixels = inflateSync(content);
    } catch {}
    chunks[at] = [type, deflateSync(mutateBytes(random, pixels, { maxLength: 1e5 }))];
  } else
    chunks[at] = [
      random.chance(0.1) ? Buffer.from(random.pick(['PLTE', 'tRNS', 'eXIf', 'IDAT'])) : type,
      mutateBytes(random, content, { maxLength: 4096 }),
    ];
  return pngOf(bytes.subarray(0, SIGNATURE), chunks);
}

export async function run(bytes) {
  let pixels;
  let refusal;
  try {
    pixels = await decodeImage(bytes);
  } catch (error) {
    if (!error.code) throw error;
    refusal = error;
  }
  if (pixels) {
    const { data, width, height, channels } = pixels;
    ensure(
      width >= 1 && height >= 1 && width * height <= MOST_PIXELS,
      () => `an image of ${width} × ${height} pixels`,
    );
    ensure(data.length === width * height * channels, 'pixels that are not of the size of the image');
  }
  const path = join(folder, 'x.png');
  writeFileSync(path, bytes);
  const { data, width, height } = await readLabelImage(path);
  ensure(data.length === width * height, 'labels that are not of the size of the image');
  if (refusal) throw refusal;
}
