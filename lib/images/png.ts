import { crc32 } from 'node:zlib';

const SIGNATURE = 8;
/** Offsets of the header's fields in a PNG file. */
const DEPTH = 24;
const COLOUR_TYPE = 25;
const GRAY = 0;
const PALETTE = 3;
/** What a gray image needs of an indexed one. */
const KEPT = ['IHDR', 'eXIf', 'IDAT', 'IEND'];

/**
 * A PNG whose gray values are the stored numbers, and the factor by which a decoder scales them to 8 bits. An indexed PNG
 * becomes a gray one of the same bits: its pixels are indices into the palette, and a palette may give two indices one
 * colour.
 */
export function storedGray(png: Uint8Array): { bytes: Uint8Array; factor: number } {
  const depth = png[DEPTH]!;
  const colourType = png[COLOUR_TYPE]!;
  const factor = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  if (colourType !== PALETTE) return { bytes: png, factor: colourType === GRAY ? factor : 1 };
  const chunks: Uint8Array[] = [png.subarray(0, SIGNATURE)];
  const view = new DataView(png.buffer, png.byteOffset, png.length);
  for (let at = SIGNATURE; at + 12 <= png.length; ) {
    const end = at + 12 + view.getUint32(at);
    const type = Buffer.from(png.subarray(at + 4, at + 8)).toString('latin1');
    if (KEPT.includes(type)) chunks.push(png.subarray(at, end));
    at = end;
  }
  const gray = Buffer.concat(chunks);
  gray[COLOUR_TYPE] = GRAY;
  // A header whose checksum was wrong stays one whose checksum is wrong.
  const sound = crc32(png.subarray(12, 29)) === view.getUint32(29);
  gray.writeUInt32BE((crc32(gray.subarray(12, 29)) ^ (sound ? 0 : 1)) >>> 0, 29);
  return { bytes: gray, factor };
}
