import sharp, { type CreateRaw } from 'sharp';
import { NlrcnnError } from '../errors.js';

/** Runs sharp on pixels in memory, whatever their number. @throws NlrcnnError ERR_NLRCNN_IMAGE with sharp's reason. */
export async function withSharp(
  data: Uint8Array | Uint16Array,
  raw: CreateRaw,
  work: (image: sharp.Sharp) => sharp.Sharp,
): Promise<Buffer> {
  try {
    return await work(sharp(data, { raw, limitInputPixels: false })).toBuffer();
  } catch (cause) {
    throw new NlrcnnError(
      'ERR_NLRCNN_IMAGE',
      `Expected an image of ${raw.width} × ${raw.height} to be drawn or encoded but it failed (${(cause as Error).message.split('\n')[0]})`,
      { cause },
    );
  }
}
