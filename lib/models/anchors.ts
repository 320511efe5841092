/**
 * torchvision's AnchorGenerator.generate_anchors for each level, float32 arithmetic, rounded half to even: flat
 * [levels, ratios · sizes, 4], xyxy around 0, ratios before sizes.
 */
export function cellAnchors(sizes: readonly (readonly number[])[], ratios: readonly number[]): number[] {
  return sizes.flatMap((level) =>
    ratios.flatMap((ratio) => {
      const h = Math.fround(Math.sqrt(Math.fround(ratio)));
      const w = Math.fround(1 / h);
      return level.flatMap((size) => {
        const x = roundHalfToEven(Math.fround(w * Math.fround(size)) / 2);
        const y = roundHalfToEven(Math.fround(h * Math.fround(size)) / 2);
        return [-x, -y, x, y];
      });
    }),
  );
}

/** Of positive numbers, as torch.round; rounding is symmetric, so the negative corner is the same. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * torchvision's AnchorGenerator.forward: `cells` moved to every place of every level, xyxy float32, flat [anchors, 4];
 * levels, then rows, columns, cells. `padded` and `levels`: [height, width] of the padded picture and of each level.
 */
export function gridAnchors(
  cells: readonly number[],
  levels: readonly (readonly [number, number])[],
  padded: readonly [number, number],
): Float32Array {
  const each = cells.length / levels.length;
  const places = levels.reduce((sum, [height, width]) => sum + height * width, 0);
  const out = new Float32Array(places * each);
  let at = 0;
  for (const [l, [height, width]] of levels.entries()) {
    const [strideY, strideX] = [Math.floor(padded[0] / height), Math.floor(padded[1] / width)];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let i = 0; i < each; i++) {
          out[at++] = (i % 2 === 0 ? x * strideX : y * strideY) + cells[l * each + i]!;
        }
      }
    }
  }
  return out;
}
