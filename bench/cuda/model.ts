import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { binding } from '../../dist/binding.js';
import type { Device, Precision } from '../../dist/device.js';
import type { RawImage } from '../../dist/images/decode.js';
import { Model } from '../../dist/model.js';
import { MODEL_CASES, NETWORK, photoPath, seededModel } from '../subjects/cases.js';
import { median } from './timing.js';

export interface ModelResult {
  name: string;
  /** From decoded pixels to typed detections, one picture after the other, and of 8 pictures given at once. */
  milliseconds: number;
  batch8Milliseconds: number;
  /** Of the CUDA graph alone. */
  deviceMilliseconds: number;
  /** Of the whole process, context and libraries included. */
  memoryBytes: number;
  detections: number;
}

/** [height, width] of pictures that are padded to 800 × 1088 and 800 × 1344. */
export const PICTURES: Record<string, [number, number]> = { '800x1088': [480, 640], '800x1344': [480, 800] };
const PRECISIONS: Precision[] = ['fp32', 'tf32', 'fp16', 'bf16'];

export async function rawPhoto(name: string, [height, width]: [number, number]): Promise<RawImage> {
  const data = await sharp(photoPath(name))
    .resize(width, height, { fit: 'fill' })
    .removeAlpha()
    .raw()
    .toBuffer();
  return { data, height, width, channels: 3 };
}

export async function benchModel(
  device: Device,
  quick: boolean,
): Promise<(ModelResult | { name: string; error: string })[]> {
  const results: (ModelResult | { name: string; error: string })[] = [];
  const network = quick ? MODEL_CASES.find(({ name }) => name === 'r18')! : NETWORK;
  const [warmUp, runs] = quick ? [1, 1] : [3, 30];
  for (const precision of PRECISIONS) {
    for (const [size, shape] of Object.entries(PICTURES).slice(0, quick ? 1 : undefined)) {
      const name = `mask_rcnn_r50_fpn ${size} ${precision}`;
      try {
        const free = () => binding().cudaInfo().gpus[Number(device.split(':')[1])]!.freeMemory;
        const before = free();
        const { config, parameters } = seededModel(network, device);
        using model = new Model(network.name, config, device, precision, parameters);
        const picture = await rawPhoto(network.photo, shape);
        let detections = 0;
        const time = async (work: () => Promise<unknown>) => {
          const start = performance.now();
          await work();
          return performance.now() - start;
        };
        const one = async () => {
          detections = (await model.segment(picture)).detections.length;
        };
        for (let i = 0; i < warmUp; i++) await one();
        const alone: number[] = [];
        for (let i = 0; i < runs; i++) alone.push(await time(one));
        const memoryBytes = before - free();
        const eight = Array.from({ length: quick ? 2 : 8 }, () => picture);
        for (let i = 0; i < warmUp; i++) await model.segment(eight);
        const batch: number[] = [];
        for (let i = 0; i < Math.ceil(runs / 3); i++) batch.push(await time(() => model.segment(eight)));
        const replays: number[] = [];
        for (let i = 0; i < (quick ? 1 : 5); i++)
          replays.push((await model.profile(picture)).at(-1)![1] / 1000);
        results.push({
          name,
          milliseconds: median(alone),
          batch8Milliseconds: median(batch),
          deviceMilliseconds: median(replays),
          memoryBytes,
          detections,
        });
      } catch (error) {
        results.push({ name, error: (error as Error).message });
      }
      process.stderr.write(`${JSON.stringify(results.at(-1))}\n`);
    }
  }
  return results;
}
