/**
 * torchvision's BoxCoder.encode_single: what turns `boxes` into `references` (both xyxy, flat [N, 4]), with weights of dx,
 * dy, dw, dh -> flat [N, 4].
 */
export function encodeBoxes(
  references: Float32Array,
  boxes: Float32Array,
  weights: readonly number[],
): Float32Array {
  const out = new Float32Array(boxes.length);
  const [wx, wy, ww, wh] = weights as [number, number, number, number];
  for (let i = 0; i < boxes.length; i += 4) {
    const [width, height] = [boxes[i + 2]! - boxes[i]!, boxes[i + 3]! - boxes[i + 1]!];
    const [x, y] = [boxes[i]! + width / 2, boxes[i + 1]! + height / 2];
    const targetWidth = references[i + 2]! - references[i]!;
    const targetHeight = references[i + 3]! - references[i + 1]!;
    out[i] = (wx * (references[i]! + targetWidth / 2 - x)) / width;
    out[i + 1] = (wy * (references[i + 1]! + targetHeight / 2 - y)) / height;
    out[i + 2] = ww * Math.log(targetWidth / width);
    out[i + 3] = wh * Math.log(targetHeight / height);
  }
  return out;
}

/** Rows of a flat [N, 4] array. */
export function takeBoxes(boxes: Float32Array, rows: ArrayLike<number>): Float32Array {
  const out = new Float32Array(4 * rows.length);
  for (let i = 0; i < rows.length; i++) out.set(boxes.subarray(4 * rows[i]!, 4 * rows[i]! + 4), 4 * i);
  return out;
}
