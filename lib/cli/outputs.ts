import { realpath } from 'node:fs/promises';
import { basename, join, parse, resolve } from 'node:path';
import { drawOverlay } from '../draw/overlay.js';
import { NlrcnnError } from '../errors.js';
import { writeWhole } from '../files/write-whole.js';
import { labelMapPng } from '../masks/label-map.js';
import { toPolygons } from '../masks/polygons.js';
import type { Model, Segmentation } from '../model.js';

export const FORMATS = ['json', 'overlay', 'png', 'coco', 'polygons'] as const;
export type Format = (typeof FORMATS)[number];

/** Objects less likely than this are left out of overlays and the printed counts, unless --score says otherwise. */
export const OVERLAY_SCORE = 0.5;

/** What each format adds to the name of an image; coco is one file for all. */
const SUFFIXES: Record<Exclude<Format, 'coco'>, string> = {
  json: 'json',
  overlay: 'overlay.png',
  png: 'labels.png',
  polygons: 'polygons.json',
};
export const COCO_RESULTS = 'coco-results.json';

/** The files of one image's results. */
function filesOf(name: string, formats: readonly Format[]): string[] {
  return formats.flatMap((format) => (format === 'coco' ? [] : [`${name}.${SUFFIXES[format]}`]));
}

/**
 * Names of the results of each image: its own without extension, with -2, -3 … behind it where one of its files would
 * otherwise be that of another image (x/a.png and y/a.png, or a.png and a.polygons.png).
 */
export function resultNames(images: readonly string[], formats: readonly Format[]): string[] {
  const taken = new Set(formats.includes('coco') ? [COCO_RESULTS] : []);
  return images.map((image) => {
    const { name } = parse(image);
    let unique = name;
    for (let n = 2; filesOf(unique, formats).some((file) => taken.has(file)); n++) unique = `${name}-${n}`;
    for (const file of filesOf(unique, formats)) taken.add(file);
    return unique;
  });
}

/** @throws NlrcnnError ERR_NLRCNN_IO where a result would take the place of an image of the same call. */
export async function checkNoImageReplaced(
  images: readonly string[],
  names: readonly string[],
  formats: readonly Format[],
  out: string,
): Promise<void> {
  const folder = await realpath(out);
  // An image that is not there cannot be replaced; reading it will say so.
  const places = await Promise.all(images.map((image) => realpath(image).catch(() => resolve(image))));
  const given = new Map(places.map((place, i) => [place, images[i]!]));
  for (const [i, name] of names.entries()) {
    for (const file of filesOf(name, formats)) {
      const image = given.get(join(folder, file));
      if (image === undefined) continue;
      throw new NlrcnnError(
        'ERR_NLRCNN_IO',
        `Expected results apart from images but ${file} of ${images[i]} would replace the image ${image}: choose another --out, or leave that image out`,
      );
    }
  }
}

/** The JSON form of one picture's result. */
export function toJson(
  image: string,
  model: Model,
  { width, height, milliseconds, detections, capped }: Segmentation,
) {
  const { name, device, precision } = model;
  return {
    image: basename(image),
    width,
    height,
    model: basename(name),
    device,
    precision,
    milliseconds,
    ...(capped && { capped }),
    detections,
  };
}

/** Writes the files of one picture and gives their paths. */
export async function writeResults(
  image: string,
  model: Model,
  result: Segmentation,
  {
    out,
    name,
    formats,
    score,
  }: { out: string; name: string; formats: readonly Format[]; score: number | undefined },
): Promise<string[]> {
  const paths: string[] = [];
  const write = async (format: keyof typeof SUFFIXES, data: string | Buffer) => {
    const path = join(out, `${name}.${SUFFIXES[format]}`);
    await writeWhole(path, data);
    paths.push(path);
  };
  if (formats.includes('json')) await write('json', `${JSON.stringify(toJson(image, model, result))}\n`);
  if (formats.includes('overlay')) {
    const { input_normalization: normalization } = model.config;
    const percentiles = normalization === 'none' ? undefined : normalization.percentiles;
    await write('overlay', await drawOverlay(image, result, { score: score ?? OVERLAY_SCORE, percentiles }));
  }
  if (formats.includes('png')) await write('png', await labelMapPng(result));
  if (formats.includes('polygons')) {
    const detections = result.detections.map(({ mask, ...rest }) => ({
      ...rest,
      polygons: mask ? toPolygons(mask) : [],
    }));
    await write('polygons', `${JSON.stringify({ ...toJson(image, model, result), detections })}\n`);
  }
  return paths;
}
