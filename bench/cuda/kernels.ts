import type { Device, OpContext, Precision } from '../../dist/device.js';
import { maskRle } from '../../dist/ops/mask_rle.js';
import { maxPool2d } from '../../dist/ops/max_pool2d.js';
import { nms } from '../../dist/ops/nms.js';
import { nonLocalRoi } from '../../dist/ops/non_local_roi.js';
import { nonLocalRoiBackward } from '../../dist/ops/non_local_roi_backward.js';
import { pasteMasks } from '../../dist/ops/paste_masks.js';
import { type RoiAlignOptions, roiAlign } from '../../dist/ops/roi_align.js';
import { roiAlignBackward } from '../../dist/ops/roi_align_backward.js';
import { Tensor } from '../../dist/tensor.js';
import { uniform } from '../../dist-test/helpers/random.js';
import { OP_SPECS } from '../subjects/specs.js';
import { deviceTime } from './timing.js';

/** One kernel benchmark: its name (bench/peers/torch_cuda.py has the same), and what it must move and compute. */
export interface KernelResult {
  name: string;
  precision: Precision;
  microseconds: number;
  gigabytesPerSecond: number;
  teraflops: number;
}

interface Kernel {
  name: string;
  precision: Precision;
  /** Bytes read and written at least once, and operations. */
  bytes: number;
  operations: number;
  prepare: (context: OpContext) => () => unknown;
}

const WIDTH: Record<Precision, number> = { fp32: 4, tf32: 4, fp16: 2, bf16: 2 };

/** As it lies in a network: in the layout and precision of activations. */
const activation = (context: OpContext, x: Tensor) =>
  maxPool2d(context, x, { kernel: [1, 1], stride: [1, 1] });

function roiAlignKernels(device: Device, quick: boolean): Kernel[] {
  const { channels, levels, scales, rois } = OP_SPECS.roi_align;
  const all = rois().slice(0, quick ? 10 : 1000);
  const sizes: [number, number][] = [
    [all.length, 7],
    [Math.min(100, all.length), 14],
  ];
  return sizes.flatMap(([count, size]) =>
    (['fp32', 'fp16'] as const).flatMap((precision): Kernel[] => {
      const shapes = levels.map(([h, w]) => [
        1,
        quick ? 16 : channels,
        ...(quick ? [h >> 3, w >> 3] : [h, w]),
      ]);
      const boxes = Tensor.from(Float32Array.from(all.slice(0, count).flat()), [count, 4], device);
      const depth = shapes[0]![1]!;
      const filled = (shape: number[], seed: number) =>
        Tensor.from(
          uniform(
            seed,
            shape.reduce((a, b) => a * b, 1),
            -1,
            1,
          ),
          shape,
          device,
        );
      const options: RoiAlignOptions = { outputSize: [size, size], spatialScales: scales, samplingRatio: 2 };
      const out = count * size * size * depth;
      const mapValues = shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
      // Four samples of four neighbours for each value; each map is read at most once.
      const bytes = WIDTH[precision] * (out + Math.min(mapValues, 16 * out));
      const operations = out * 4 * 8;
      const name = `roi_align ${count}x${size}x${size} ${precision}`;
      return [
        {
          name,
          precision,
          bytes,
          operations,
          prepare: (context) => {
            const maps = shapes.map((shape, i) => activation(context, filled(shape, i + 1)));
            return () => roiAlign(context, maps, boxes, options);
          },
        },
        {
          name: name.replace('roi_align', 'roi_align_backward'),
          precision,
          bytes: WIDTH[precision] * (out + mapValues),
          operations,
          prepare: (context) => {
            const grad = activation(context, filled([count, depth, size, size], 9));
            const levelSizes = shapes.map((shape) => [shape[2]!, shape[3]!] as const);
            return () => roiAlignBackward(context, grad, boxes, { ...options, images: 1, levelSizes });
          },
        },
      ];
    }),
  );
}

/** N, and of how many images. */
const BLOCKS: [number, number][] = [
  [100, 1],
  [300, 1],
  [512, 1],
  [1000, 1],
  [2048, 4],
];

function blockKernels(device: Device, quick: boolean): Kernel[] {
  const { channels, side, embed, values } = OP_SPECS.non_local_roi;
  const [d, f, v] = quick ? [16, 8, 16] : [channels, embed, values];
  const filled = (shape: number[], seed: number, size: number) =>
    Tensor.from(
      uniform(
        seed,
        shape.reduce((a, b) => a * b, 1),
        -size,
        size,
      ),
      shape,
      device,
    );
  const pair = (o: number, c: number, k: number, seed: number) => ({
    weight: filled([o, c, k, k], seed, 0.02),
    bias: filled([o], seed + 1, 0.1),
  });
  const weights = {
    phi: pair(f, d, 1, 11),
    psi: pair(f, d, 1, 13),
    g1x1: pair(v, d, 1, 15),
    g3x3: pair(v, v, 3, 17),
  };
  return (quick ? [[20, 1] as [number, number]] : BLOCKS).flatMap(([n, images]) =>
    (['fp32', 'fp16', 'bf16'] as const).flatMap((precision): Kernel[] => {
      const x = filled([n, d, side, side], 19, 1);
      const segments = Tensor.from(new Int32Array(images).fill(n / images), [images], device);
      const options = { scale: 'rsqrt', segments, rowsPerSegment: n / images } as const;
      const places = side * side;
      const pairs = (n * n) / images;
      const operations = 2 * (2 * n * places * d * f + n * 9 * d * v + pairs * places * f + pairs * v);
      const name = `non_local_roi ${images > 1 ? `${images}x${n / images}` : n} ${precision}`;
      const bytes = WIDTH[precision] * n * d * places;
      const forward = (context: OpContext) => {
        const own = activation(context, x);
        return () => nonLocalRoi(context, own, weights, options);
      };
      return [
        { name, precision, bytes, operations, prepare: forward },
        {
          name: `${name} forward+backward`,
          precision,
          bytes: 3 * bytes,
          operations: 3 * operations,
          prepare: (context) => {
            const own = activation(context, x);
            const grad = filled([n, v], 23, 1);
            return () => {
              nonLocalRoi(context, own, weights, options);
              nonLocalRoiBackward(context, grad, own, weights, options);
            };
          },
        },
      ];
    }),
  );
}

function selectionKernels(device: Device, quick: boolean): Kernel[] {
  const nmsKernels = (quick ? [100] : [1000, 4000, 12000]).map((n): Kernel => {
    const u = uniform(31, 4 * n, 0, 1);
    const boxes = Float32Array.from({ length: 4 * n }, (_, i) => {
      const row = 4 * Math.floor(i / 4);
      const [x, y, w, h] = [1000 * u[row]!, 700 * u[row + 1]!, 10 + 90 * u[row + 2]!, 10 + 90 * u[row + 3]!];
      return [x, y, x + w, y + h][i % 4]!;
    });
    const [own, scores] = [
      Tensor.from(boxes, [n, 4], device),
      Tensor.from(uniform(33, n, 0, 1), [n], device),
    ];
    return {
      name: `nms ${n}`,
      precision: 'fp32',
      bytes: 20 * n,
      operations: 7 * n * n,
      prepare: (context) => () => nms(context, own, scores, { threshold: 0.5 }),
    };
  });
  const count = quick ? 4 : 100;
  const [height, width] = quick ? [60, 80] : [800, 1066];
  const probs = Tensor.from(uniform(35, count * 784, 0, 1), [count, 28, 28], device);
  const boxes = Tensor.from(
    Float32Array.from(
      OP_SPECS.roi_align
        .rois()
        .slice(0, count)
        .flat()
        .map((v) => (quick ? v / 14 : v)),
    ),
    [count, 4],
    device,
  );
  const options = { height, width, threshold: 0.5 };
  const bytes = count * (784 * 4 + 16);
  return [
    ...nmsKernels,
    {
      name: `paste_masks ${count}`,
      precision: 'fp32',
      bytes: bytes + count * height * width,
      operations: 8 * count * height * width,
      prepare: (context) => () => pasteMasks(context, probs, boxes, options),
    },
    {
      name: `mask_rle ${count}`,
      precision: 'fp32',
      bytes,
      operations: 0,
      prepare: (context) => () => maskRle(context, probs, boxes, options),
    },
  ];
}

/** Times every kernel; a failure is reported by name and does not stop the others. */
export async function benchKernels(
  device: Device,
  quick: boolean,
): Promise<(KernelResult | { name: string; error: string })[]> {
  const results: (KernelResult | { name: string; error: string })[] = [];
  for (const make of [roiAlignKernels, blockKernels, selectionKernels]) {
    for (const { name, precision, bytes, operations, prepare } of make(device, quick)) {
      try {
        const microseconds = await deviceTime(device, precision, prepare);
        results.push({
          name,
          precision,
          microseconds,
          gigabytesPerSecond: bytes / microseconds / 1e3,
          teraflops: operations / microseconds / 1e6,
        });
      } catch (error) {
        results.push({ name, error: (error as Error).message });
      }
      process.stderr.write(`${JSON.stringify(results.at(-1))}\n`);
    }
  }
  return results;
}
