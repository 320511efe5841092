import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';

// biome-ignore lint/suspicious/noExplicitAny: tests put anything anywhere
export type Json = Record<string, any>;

/** Corners of a rectangle. */
export const corners = (x: number, y: number, w: number, h: number) => [
  x,
  y,
  x + w,
  y,
  x + w,
  y + h,
  x,
  y + h,
];

/** Two images of 96 × 64 with a square of each of two classes. */
export function plainCoco(): Json {
  const images = [1, 2].map((id) => ({ id, file_name: `${id}.png`, width: 96, height: 64 }));
  const boxes: [number, number, number, number][] = [
    [10, 10, 30, 20],
    [50, 35, 30, 20],
  ];
  const annotations = images.flatMap(({ id }) =>
    boxes.map((bbox, i) => ({
      id: 2 * id - 1 + i,
      image_id: id,
      category_id: i + 1,
      bbox,
      area: 600,
      iscrowd: 0,
      segmentation: [corners(...bbox)],
    })),
  );
  const categories = [
    { id: 1, name: 'a' },
    { id: 2, name: 'b' },
  ];
  return { images, annotations, categories };
}

/** JSON with NaN and Infinity, as Python's. */
export function pythonJson(value: unknown): string {
  const numbers = new Map([
    [Number.NaN, 'NaN'],
    [Infinity, 'Infinity'],
    [-Infinity, '-Infinity'],
  ]);
  const text = JSON.stringify(value, (_, item) => (numbers.has(item) ? `@@${numbers.get(item)}@@` : item));
  return text.replaceAll(/"@@(.*?)@@"/g, '$1');
}

/** A data set's folder with `annotations.json` of this text and the two images. */
export async function cocoFolder(text: string | Uint8Array): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  mkdirSync(join(folder, 'images'));
  for (const name of ['1.png', '2.png']) {
    await sharp({ create: { width: 96, height: 64, channels: 3, background: { r: 90, g: 40, b: 20 } } })
      .png()
      .toFile(join(folder, 'images', name));
  }
  writeFileSync(join(folder, 'annotations.json'), text);
  return folder;
}
