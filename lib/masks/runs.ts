import { NlrcnnError } from '../errors.js';
import type { Rle } from './rle.js';

/**
 * The lengths of the runs in pycocotools' compressed text: zeros and ones in turn, zeros first, each from the fourth on as
 * its difference to the one before the last, in 5-bit digits.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT for NaN and infinity.
 */
export function compressCounts(counts: ArrayLike<number>): string {
  const codes: number[] = [];
  for (let i = 0; i < counts.length; i++) {
    let value = i > 2 ? counts[i]! - counts[i - 2]! : counts[i]!;
    if (!Number.isFinite(value)) {
      throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', `Expected lengths of runs but received ${counts[i]}`);
    }
    for (let more = true; more; ) {
      const digit = value & 0x1f;
      value = value === (value | 0) ? value >> 5 : Math.floor(value / 32);
      more = digit & 0x10 ? value !== -1 : value !== 0;
      codes.push((more ? digit | 0x20 : digit) + 48);
    }
  }
  return Buffer.from(codes).toString('latin1');
}

/**
 * The inverse of `compressCounts`, checked.
 * @throws NlrcnnError ERR_NLRCNN_ARGUMENT where the text is none or does not cover the mask's size.
 */
export function decompressCounts({ counts, size }: Rle): number[] {
  const out: number[] = [];
  for (let at = 0; at < counts.length; ) {
    let [value, shift, digit] = [0, 0, 0];
    do {
      digit = counts.charCodeAt(at++) - 48;
      if (!(digit >= 0 && digit < 64) || shift > 30) throw notRle(counts);
      // Bits beyond those of int32 are added: masks go up to 2^32 pixels.
      value += shift < 25 ? (digit & 0x1f) << shift : (digit & 0x1f) * 2 ** shift;
      shift += 5;
    } while (digit & 0x20);
    if (digit & 0x10) value -= 2 ** shift;
    if (out.length > 2) value += out[out.length - 2]!;
    out.push(value);
  }
  checkCounts(out, size);
  return out;
}

/** @throws NlrcnnError ERR_NLRCNN_ARGUMENT where runs are no whole lengths that cover `size`, [height, width]. */
export function checkCounts(counts: readonly number[], [height, width]: Rle['size']): void {
  let total = 0;
  for (const count of counts) {
    if (!Number.isInteger(count) || count < 0) {
      throw new NlrcnnError('ERR_NLRCNN_ARGUMENT', `Expected lengths of runs but received ${count}`);
    }
    total += count;
  }
  if (total !== height * width) {
    throw new NlrcnnError(
      'ERR_NLRCNN_ARGUMENT',
      `Expected runs that cover ${height} × ${width} pixels but received ${total} pixels`,
    );
  }
}

function notRle(counts: string): NlrcnnError {
  return new NlrcnnError(
    'ERR_NLRCNN_ARGUMENT',
    `Expected COCO's compressed run lengths but received ${JSON.stringify(counts.slice(0, 40))}`,
  );
}
