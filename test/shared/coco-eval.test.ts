import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { evaluateCocoFiles } from '../../dist/evaluate/coco-files.js';

const FOLDER = join(__dirname, '..', '..', '..', 'shared', 'data', 'coco-eval-fixture');
/** As the authors of COCO print them for these files. */
const PRINTED = {
  segm: '.320 .562 .299 .387 .310 .327 .268 .415 .417 .469 .377 .381',
  bbox: '.505 .697 .573 .586 .519 .501 .387 .594 .595 .640 .566 .564',
};

const given = existsSync(FOLDER) ? test : test.skip;
for (const kind of ['segm', 'bbox'] as const) {
  given(`COCO's own example: ${kind}`, async (t) => {
    const { stats } = await evaluateCocoFiles(
      join(FOLDER, 'instances_val2014_100.json'),
      join(FOLDER, `instances_val2014_fake${kind}100_results.json`),
      kind,
    );
    t.deepEqual(
      stats.map((value) => value.toFixed(3)),
      PRINTED[kind].split(' ').map((value) => `0${value}`),
    );
  });
}
