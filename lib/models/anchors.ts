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
