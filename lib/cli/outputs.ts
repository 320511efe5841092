import { access, constants, mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve } from 'node:path';
import { NlrcnnError } from '../errors.js';
import { labelMapPng } from '../masks/label-map.js';
import { drawOverlay } from '../masks/overlay.js';
import { toPolygons } from '../masks/polygons.js';
import type { Model, Segmentation } from '../model.js';

export const FORMATS = ['json', 'overlay', 'png', 'coco', 'polygons'] as const;
export type Format = (typeof FORMATS)[number];

/** Objects less likely than this are left out of overlays and the printed counts, unless --score says otherwise. */
export const OVERLAY_SCORE = 0.5;

/** @throws NlrcnnError ERR_NLRCNN_IO where nothing can be written to `folder`. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await makeFolder(resolve(folder));
    await access(folder, constants.W_OK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NlrcnnError(
      'ERR_NLRCNN_IO',
      `Expected a folder to write to but ${folder} is none (${code}): choose another --out`,
      {
        cause,
      },
    );
  }
}

/** Parents first, one by one: Node's own recursive mkdir never returns from some places, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await makeFolder(dirname(folder));
  }
  await mkdir(folder);
}

/** Names of the results of each picture: its own without extension, -2, -3 … behind those of the same name. */
export function resultNames(images: readonly string[]): string[] {
  const taken = new Set<string>();
  return images.map((image) => {
    const { name } = parse(image);
    let unique = name;
    for (let n = 2; taken.has(unique); n++) unique = `${name}-${n}`;
    taken.add(unique);
    return unique;
  });
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
  const write = async (suffix: string, data: string | Buffer) => {
    const path = join(out, `${name}.${suffix}`);
    try {
      await writeFile(path, data);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new NlrcnnError('ERR_NLRCNN_IO', `Expected to write ${path} but it failed (${code})`, { cause });
    }
    paths.push(path);
  };
  if (formats.includes('json')) await write('json', `${JSON.stringify(toJson(image, model, result))}\n`);
  if (formats.includes('overlay')) {
    const { input_normalization: normalization } = model.config;
    const percentiles = normalization === 'none' ? undefined : normalization.percentiles;
    await write(
      'overlay.png',
      await drawOverlay(image, result, { score: score ?? OVERLAY_SCORE, percentiles }),
    );
  }
  if (formats.includes('png')) await write('labels.png', await labelMapPng(result));
  if (formats.includes('polygons')) {
    const detections = result.detections.map(({ mask, ...rest }) => ({
      ...rest,
      polygons: mask ? toPolygons(mask) : [],
    }));
    await write('polygons.json', `${JSON.stringify({ ...toJson(image, model, result), detections })}\n`);
  }
  return paths;
}
