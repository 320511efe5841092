import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { DataLoader, type Dataset, openDataset } from '../../dist/index.js';

// Real data that may lie beside the checkout.
const DATA = join(__dirname, '..', '..', '..', 'shared', 'data');
const nuclei = join(DATA, 'dsb2018');
const photos = join(DATA, 'coco-free38');

const instances = async (dataset: Dataset) =>
  (await Promise.all(Array.from({ length: dataset.length }, (_, i) => dataset.sample(i)))).flatMap(
    (sample) => sample.instances,
  );

if (!existsSync(nuclei)) test.skip('dsb2018: not beside this checkout', (t) => t.pass());
else {
  test('dsb2018: as many nuclei as its index says; the test split has the original masks', async (t) => {
    for (const [split, pictures, nucleiCount] of [
      ['train', 422, 17248],
      ['val', 63, 2247],
      ['test', 50, 2460],
    ] as const) {
      const dataset = await openDataset({ format: 'labelmaps', data: nuclei, split });
      t.is(dataset.length, pictures);
      t.is((await instances(dataset)).length, nucleiCount);
    }
    const rows = readFileSync(join(nuclei, 'index.csv'), 'utf8').split('\n');
    const expected = new Map(rows.map((row) => row.split(',')).map((cells) => [cells[0]!, Number(cells[4])]));
    const dataset = await openDataset({ format: 'labelmaps', data: nuclei, split: 'val' });
    for (let i = 0; i < dataset.length; i++) {
      const sample = await dataset.sample(i);
      t.is(sample.instances.length, expected.get(String(sample.id))!);
    }
  });

  test('dsb2018: an epoch of crops of normalised gray, boxes around masks', async (t) => {
    const dataset = await openDataset({ format: 'labelmaps', data: nuclei, split: 'val' });
    await using loader = new DataLoader(dataset, {
      batchSize: 4,
      workers: 2,
      epochs: 1,
      inputNormalization: { percentiles: [1, 99.8] },
      augment: { horizontalFlip: 0.5, rotate90: true, scale: [0.8, 1.25], crop: [192, 192] },
    });
    let [pictures, objects, bright] = [0, 0, 0];
    for await (const { samples } of loader) {
      for (const { pixels, masks, boxes, labels } of samples) {
        pictures++;
        objects += labels.length;
        t.is(pixels.length, 192 * 192);
        t.is(masks.length, labels.length * 192 * 192);
        t.true(pixels.every((value) => value >= 0 && value <= 1));
        bright += Number(pixels.some((value) => value > 0.9));
        for (let g = 0; g < labels.length; g++) {
          const [x1, y1, x2, y2] = boxes.subarray(4 * g, 4 * g + 4) as unknown as [
            number,
            number,
            number,
            number,
          ];
          const bits = masks.subarray(g * 192 * 192, (g + 1) * 192 * 192);
          const outside = bits.some((bit, i) => {
            const [x, y] = [i % 192, Math.floor(i / 192)];
            return bit === 1 && !(x >= x1 && x < x2 && y >= y1 && y < y2);
          });
          if (outside || !bits.includes(1)) t.fail(`object ${g}`);
        }
      }
    }
    t.is(pictures, 63);
    t.true(bright > 50, `${bright}`);
    t.true(objects > 700, `${objects}`);
  });
}

if (!existsSync(photos)) test.skip('coco-free38: not beside this checkout', (t) => t.pass());
else {
  test('coco-free38: all annotations, with the masks of pycocotools', async (t) => {
    // SHA-1 of the counts that pycocotools' annToRLE gives, one after another.
    for (const [split, pictures, count, masks] of [
      ['train2017_subset', 15, 105, '28efd4bb348809fbe794985b2b25f4cda7dc8da1'],
      ['val2017_subset', 23, 141, '46de6d24b9edd14de75fa440a06cd43fa82d8113'],
    ] as const) {
      const dataset = await openDataset({ format: 'coco', data: photos, split });
      t.is(dataset.length, pictures);
      t.is(dataset.classNames.length, 81);
      t.is(dataset.categoryIds![80], 90);
      const all = await instances(dataset);
      t.is(all.length, count);
      t.is(all.filter(({ crowd }) => crowd).length, 1);
      const digest = createHash('sha1');
      for (const { mask } of all) digest.update(mask.counts);
      t.is(digest.digest('hex'), masks);
      await using loader = new DataLoader(dataset, { batchSize: 5, workers: 1, epochs: 1 });
      let seen = 0;
      for await (const { samples } of loader) for (const { labels } of samples) seen += labels.length;
      t.is(seen, count);
    }
  });
}
