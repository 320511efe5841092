import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDataset } from '../../dist/index.js';
import { resetWarnings } from '../../dist/warnings.js';
import { cocoFolder, type Json, plainCoco, pythonJson } from './coco-folder.js';

type Masks = 'required' | 'optional';

/** Assignments give their value, which is no file. */
const isText = (value: unknown): value is string | Uint8Array =>
  value instanceof Uint8Array || (typeof value === 'string' && /^\ufeff?\{/.test(value));

/** Of the plain data set with something changed: what comes of it, and the warnings. */
export async function outcome(change: (coco: Json) => unknown, masks?: Masks) {
  const coco = plainCoco();
  const text = change(coco);
  const file = isText(text) ? text : pythonJson(coco);
  folder ??= cocoFolder('');
  writeFileSync(join(await folder, 'annotations.json'), file);
  return outcomeOf(await folder, masks);
}

/** One for all, as only the JSON differs. */
let folder: Promise<string> | undefined;

export async function outcomeOf(data: string, masks?: Masks) {
  const warnings: string[] = [];
  const listen = ({ message }: Error) => warnings.push(message);
  process.on('warning', listen);
  resetWarnings();
  try {
    const dataset = await openDataset({ format: 'coco', data, masks });
    const samples = await Promise.all(Array.from({ length: dataset.length }, (_, i) => dataset.sample(i)));
    await new Promise((resolve) => setImmediate(resolve));
    return { dataset, samples, warnings };
  } finally {
    process.off('warning', listen);
  }
}
