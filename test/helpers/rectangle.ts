import ndarray from 'ndarray';
import { encodeRle, type Rle } from '../../dist/masks/rle.js';

/** Masks in pictures of one size: the pixels of columns [x, x + w) and rows [y, y + h). */
export const rectangle =
  (height: number, width: number) =>
  (x: number, y: number, w: number, h: number): Rle => {
    const inside = (i: number) => {
      const [row, column] = [Math.floor(i / width), i % width];
      return Number(row >= y && row < y + h && column >= x && column < x + w);
    };
    const bitmap = Uint8Array.from({ length: height * width }, (_, i) => inside(i));
    return encodeRle(ndarray(bitmap, [height, width]));
  };
