import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { evaluateCoco } from '../../dist/evaluate/coco.js';
import { readCocoFiles } from '../../dist/evaluate/coco-files.js';
import { serve } from './serve.js';

// COCO's numbers of masks; files are read before, as pycocotools' loadRes does.
async function main(folder: string): Promise<void> {
  const file = (name: string) => join(folder, name);
  const { pictures, categories } = await readCocoFiles(file('gt.json'), file('results.json'), 'segm');
  await serve(async () => {
    const start = performance.now();
    const { stats } = evaluateCoco(pictures, [...categories.keys()], 'segm');
    return { milliseconds: performance.now() - start, ap: stats[0]! };
  });
}

main(process.argv[2]!);
