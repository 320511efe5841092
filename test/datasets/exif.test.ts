import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { imageOf } from '../../dist/datasets/sample-image.js';
import {
  DataLoader,
  decodeImage,
  type ExifSetting,
  type OpenDatasetOptions,
  openDataset,
} from '../../dist/index.js';
import { resetWarnings } from '../../dist/warnings.js';
import { corners } from '../helpers/coco-folder.js';

const BOX = [8, 8, 32, 16] as const;

/** A JPEG of these sides, dark with a bright rectangle at `BOX` in stored pixels. */
async function jpeg(path: string, width: number, height: number, orientation: number): Promise<void> {
  const [x, y, w, h] = BOX;
  const data = Uint8Array.from({ length: width * height }, (_, i) => {
    const [column, row] = [i % width, Math.floor(i / width)];
    return column >= x && column < x + w && row >= y && row < y + h ? 220 : 20;
  });
  await sharp(data, { raw: { width, height, channels: 1 } })
    .withMetadata({ orientation })
    .jpeg({ quality: 95 })
    .toFile(path);
}

/** COCO data of one such image, annotated in stored pixels; `swapped`: the JSON's sides are those of the upright image. */
async function stored(orientation: number, { width = 96, height = 64, swapped = false } = {}) {
  const data = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  await jpeg(join(data, '1.jpg'), width, height, orientation);
  const sides = swapped ? { width: height, height: width } : { width, height };
  const coco = {
    images: [{ id: 1, file_name: '1.jpg', ...sides }],
    categories: [{ id: 1, name: 'bright' }],
    annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: BOX, segmentation: [corners(...BOX)] }],
  };
  writeFileSync(join(data, 'annotations.json'), JSON.stringify(coco));
  return data;
}

/** Mean of the pixels under the mask of the first sample, and the warnings on the way. */
async function meanUnderMask(
  options: Omit<OpenDatasetOptions, 'format'> & { format?: 'labelmaps' },
  workers = 0,
) {
  const warnings: (Error & { code?: string })[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  resetWarnings();
  try {
    const dataset = await openDataset({ format: 'coco', ...options });
    await using loader = new DataLoader(dataset, { batchSize: 1, workers });
    for await (const { samples } of loader) {
      const { masks, pixels, channels } = samples[0]!;
      let [sum, count] = [0, 0];
      for (let i = 0; i < masks.length; i++) {
        if (masks[i]) [sum, count] = [sum + 255 * pixels[channels * i]!, count + 1];
      }
      await new Promise((resolve) => setImmediate(resolve));
      return { mean: sum / count, warnings };
    }
    throw new Error('no batch');
  } finally {
    process.off('warning', listen);
  }
}

for (const workers of [0, 1]) {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test.serial(
      `orientation ${orientation}, ${workers} workers: ignored, masks lie on stored pixels`,
      async (t) => {
        const { mean, warnings } = await meanUnderMask(
          { data: await stored(orientation), exif: 'ignore' },
          workers,
        );
        t.true(Math.abs(mean - 220) < 12, String(mean));
        t.deepEqual(warnings, []);
      },
    );
  }
}

for (const orientation of [2, 3, 4]) {
  test.serial(
    `orientation ${orientation}: that it cannot be told is said once; a setting ends it`,
    async (t) => {
      const data = await stored(orientation);
      for (const workers of [0, 2]) {
        const { mean, warnings } = await meanUnderMask({ data }, workers);
        t.true(mean < 120);
        t.deepEqual(
          warnings.map(({ name, code }) => [name, code]),
          [['NlrcnnWarning', 'NLRCNN_EXIF']],
        );
        t.regex(warnings[0]!.message, /set exif to "ignore" \(data\.exif, --exif ignore\)/);
      }
      t.deepEqual((await meanUnderMask({ data, exif: 'apply' })).warnings, []);
    },
  );
}

test.serial('square images of orientation 5 to 8 cannot be told either', async (t) => {
  const data = await stored(6, { width: 64 });
  t.is((await meanUnderMask({ data })).warnings.length, 1);
  t.true((await meanUnderMask({ data, exif: 'ignore' })).mean > 200);
});

test.serial('sizes that contradict the setting name EXIF and the other setting', async (t) => {
  const cases: [boolean, ExifSetting | undefined, RegExp][] = [
    [false, undefined, /EXIF orientation 6 is applied, .* stored pixels; set exif to "ignore"/],
    [false, 'apply', /96 × 64 .* but it is 64 × 96: its EXIF .*--exif ignore/],
    [
      true,
      'ignore',
      /64 × 96 .* but it is 96 × 64: its EXIF orientation 6 is ignored, .*set exif to "apply"/,
    ],
  ];
  for (const [swapped, exif, message] of cases) {
    const data = await stored(6, { swapped });
    const expected = { code: 'ERR_NLRCNN_DATASET', message };
    await t.throwsAsync(meanUnderMask({ data, exif }), expected);
    const dataset = await openDataset({ format: 'coco', data, exif });
    await t.throwsAsync(imageOf(await dataset.sample(0), true), expected);
  }
  // A size that no orientation explains, in training and in evaluation.
  const data = await stored(1, { swapped: true });
  const expected = { code: 'ERR_NLRCNN_DATASET', message: /but it is 96 × 64$/ };
  await t.throwsAsync(meanUnderMask({ data }), expected);
  const other = await openDataset({ format: 'coco', data });
  await t.throwsAsync(imageOf(await other.sample(0), true), expected);
});

test.serial('evaluation gets the pixels that annotations count in', async (t) => {
  for (const orientation of [1, 3, 6]) {
    const dataset = await openDataset({ format: 'coco', data: await stored(orientation), exif: 'ignore' });
    const sample = await dataset.sample(0);
    const { data, width, height, channels } = await imageOf(sample, true);
    t.deepEqual([width, height], [96, 64]);
    t.true(Math.abs(data[channels * ((8 + 4) * width + 20)]! - 220) < 12);
  }
  const upright = await openDataset({ format: 'coco', data: await stored(6, { swapped: true }) });
  const sample = await upright.sample(0);
  const { width, height } = await imageOf(sample, true);
  t.deepEqual([width, height], [64, 96]);
});

test.serial('decodeImage: stored or upright pixels, and which orientation there was', async (t) => {
  const path = join(await stored(6), '1.jpg');
  const upright = await decodeImage(path);
  t.deepEqual([upright.width, upright.height, upright.orientation], [64, 96, 6]);
  const raw = await decodeImage(path, { orient: false });
  t.deepEqual([raw.width, raw.height, raw.orientation], [96, 64, 6]);
});

test.serial('label maps in stored pixels', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'nlrcnn-'));
  for (const name of ['images', 'labels']) mkdirSync(join(data, name));
  await jpeg(join(data, 'images', '1.jpg'), 96, 64, 6);
  const [x, y, w, h] = BOX;
  const labels = await sharp({
    create: { width: w, height: h, channels: 3, background: { r: 1, g: 1, b: 1 } },
  })
    .extend({ left: x, top: y, right: 96 - x - w, bottom: 64 - y - h, background: { r: 0, g: 0, b: 0 } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  writeFileSync(join(data, 'labels', '1.png'), labels);
  t.true((await meanUnderMask({ format: 'labelmaps', data, exif: 'ignore' })).mean > 200);
  await t.throwsAsync(meanUnderMask({ format: 'labelmaps', data }), { message: /EXIF orientation 6/ });
});

test('settings that there are not are refused', async (t) => {
  const data = await stored(1);
  await t.throwsAsync(openDataset({ format: 'coco', data, exif: 'maybe' as 'apply' }), {
    code: 'ERR_NLRCNN_ARGUMENT',
    message: /apply, ignore for exif/,
  });
  await t.throwsAsync(openDataset({ format: 'coco', data, masks: 'never' as 'required' }), {
    code: 'ERR_NLRCNN_ARGUMENT',
    message: /required, optional for masks/,
  });
});
