/** Sizes of the op benchmarks; bench/peers/torch_subject.py has the same. */
export const OP_SPECS = {
  roi_align: {
    channels: 256,
    levels: [
      [200, 272],
      [100, 136],
      [50, 68],
      [25, 34],
    ],
    scales: [1 / 4, 1 / 8, 1 / 16, 1 / 32],
    size: 7,
    /** 1000 boxes of 16 to 500 pixels in 1066 × 800, many small and few large. */
    rois: () =>
      Array.from({ length: 1000 }, (_, i) => {
        const u = [0.618034, 0.414214, 0.732051, 0.236068].map((step) => ((i + 1) * step) % 1) as [
          number,
          number,
          number,
          number,
        ];
        const [w, h] = [16 + 484 * u[2] ** 3, 16 + 484 * u[3] ** 3];
        const [x, y] = [u[0] * (1066 - w), u[1] * (800 - h)];
        return [x, y, x + w, y + h];
      }),
  },
  non_local_roi: { n: 1000, channels: 256, side: 7, embed: 64, values: 256 },
} as const;
