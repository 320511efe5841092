import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { DataLoader, type Instance, openDataset, rleArea } from '../../dist/index.js';
import { cocoFolder, type Json, plainCoco } from '../helpers/coco-folder.js';
import { outcome, outcomeOf } from '../helpers/coco-outcome.js';

const shown = ({ label, box, crowd, mask, area }: Instance) => ({
  label,
  box,
  crowd,
  area,
  pixels: rleArea(mask),
});

const PLAIN = [
  { label: 1, box: [10, 10, 40, 30], crowd: false, area: 600, pixels: 600 },
  { label: 2, box: [50, 35, 80, 55], crowd: false, area: 600, pixels: 600 },
];

const first = (change: (annotation: Json) => void) => (coco: Json) => change(coco.annotations[0]);
const each = (list: string, change: (item: Json) => void) => (coco: Json) => coco[list].forEach(change);
const both =
  (...changes: ((coco: Json) => void)[]) =>
  (coco: Json) => {
    for (const change of changes) change(coco);
  };

/** Files that mean the plain data set. */
const SAME: Record<string, (coco: Json) => unknown> = {
  plain: () => {},
  'iscrowd "0"': each('annotations', (a) => (a.iscrowd = '0')),
  'iscrowd false': each('annotations', (a) => (a.iscrowd = false)),
  'iscrowd "False"': each('annotations', (a) => (a.iscrowd = 'False')),
  'iscrowd 0.0 and null': first((a) => (a.iscrowd = null)),
  'no iscrowd': each('annotations', (a) => delete a.iscrowd),
  'no area': each('annotations', (a) => delete a.area),
  'area null': each('annotations', (a) => (a.area = null)),
  'area "600"': each('annotations', (a) => (a.area = '600.0')),
  'image ids of annotations as strings': each('annotations', (a) => (a.image_id = String(a.image_id))),
  'image ids of images as strings': each('images', (a) => (a.id = String(a.id))),
  'all image ids as strings': both(
    each('annotations', (a) => (a.image_id = String(a.image_id))),
    each('images', (a) => (a.id = String(a.id))),
  ),
  'image ids that are no numbers': both(
    each('annotations', (a) => (a.image_id = `im-0${a.image_id}`)),
    each('images', (a) => (a.id = `im-0${a.id}`)),
  ),
  'category ids as strings': both(
    each('annotations', (a) => (a.category_id = String(a.category_id))),
    each('categories', (a) => (a.id = String(a.id))),
  ),
  'category ids of annotations as strings': each(
    'annotations',
    (a) => (a.category_id = String(a.category_id)),
  ),
  'category ids from zero': both(
    each('annotations', (a) => a.category_id--),
    each('categories', (a) => a.id--),
  ),
  'annotation ids missing': each('annotations', (a) => delete a.id),
  'annotation ids all the same': each('annotations', (a) => (a.id = 1)),
  'sides as strings': each('images', (a) => Object.assign(a, { width: '96', height: ' 64 ' })),
  'sides as floats in strings': each('images', (a) => Object.assign(a, { width: '96.0', height: '6.4e1' })),
  'box as strings': first((a) => (a.bbox = ['10', '10.0', '3e1', '20'])),
  'empty box beside a mask': first((a) => (a.bbox = [])),
  'no box beside a mask': first((a) => delete a.bbox),
  'polygon as strings': first((a) => (a.segmentation = [a.segmentation[0].map(String)])),
  'polygon without a list around it': first((a) => (a.segmentation = a.segmentation[0])),
  'polygon of pairs': first(
    (a) =>
      (a.segmentation = [
        [
          [10, 10],
          [40, 10],
          [40, 30],
          [10, 30],
        ],
      ]),
  ),
  'run lengths as floats and strings': first(
    (a) =>
      (a.segmentation = {
        size: ['64', 96],
        counts: [650, ...Array.from({ length: 29 }, () => ['20', 44]).flat(), 20, 3618],
      }),
  ),
  'NaN and Infinity in keys that are not used': each('annotations', (a) =>
    Object.assign(a, { score: Infinity, attributes: { x: [-Infinity, Number.NaN] } }),
  ),
  'extra keys': each('annotations', (a) =>
    Object.assign(a, { keypoints: [1, 2, 2], attributes: { a: { b: {} } }, __proto: 1, constructor: 'x' }),
  ),
  'a __proto__ key': (coco) =>
    JSON.stringify(coco).replaceAll('"iscrowd":0', '"__proto__":{"iscrowd":1,"bbox":[1]},"iscrowd":0'),
  'duplicate keys': (coco) => JSON.stringify(coco).replaceAll('"iscrowd":0', '"iscrowd":1,"iscrowd":0'),
  'a list that is there twice': (coco) =>
    JSON.stringify(coco).replace('{', '{"annotations": [{"image_id": 5, "category_id": 1}], '),
  'a byte-order mark': (coco) => `\ufeff${JSON.stringify(coco)}`,
  'UTF-16': (coco) => Buffer.from(`\ufeff${JSON.stringify(coco)}`, 'utf16le'),
  'backslashes in file names': each('images', (a) => (a.file_name = `images\\${a.file_name}`)),
  'folders in file names': each('images', (a) => (a.file_name = `images/./${a.file_name}`)),
};

for (const [name, change] of Object.entries(SAME)) {
  test.serial(`${name}: read as meant, without a word`, async (t) => {
    const { samples, warnings, dataset } = await outcome(change);
    for (const { instances } of samples) t.deepEqual(instances.map(shown), PLAIN);
    t.deepEqual(warnings, []);
    t.deepEqual(dataset.classNames, ['background', 'a', 'b']);
    t.like(dataset.contents, { objects: 4, crowds: 0, boxOnly: 0, broken: 0 });
  });
}

test.serial('absolute file names', async (t) => {
  const data = await cocoFolder('');
  const coco = plainCoco();
  for (const image of coco.images) image.file_name = join(data, 'images', image.file_name);
  writeFileSync(join(data, 'annotations.json'), JSON.stringify(coco));
  const { samples } = await outcomeOf(data);
  t.deepEqual(samples[1]!.image, join(data, 'images', '2.png'));
});

const CROWDS = [1, '1', true, 'true', 1.0, 'True'];
test.serial('crowds, however they are written', async (t) => {
  for (const value of CROWDS) {
    const { samples, dataset } = await outcome(first((a) => (a.iscrowd = value)));
    t.deepEqual(
      samples[0]!.instances.map(({ crowd }) => crowd),
      [true, false],
    );
    t.like(dataset.contents, { objects: 3, crowds: 1 });
  }
});

/** Taken otherwise than the file says, with a warning. */
const WARNED: Record<string, [(coco: Json) => unknown, RegExp, number]> = {
  'annotation of an image that is not listed': [
    first((a) => (a.image_id = 77)),
    /left out.*: 1 \(annotations\[0\]\.image_id 77\)$/,
    1,
  ],
  'annotations of images that are not listed': [
    (coco) => {
      for (let i = 0; i < 6; i++) coco.annotations.push({ ...coco.annotations[0], image_id: `x${i}` });
    },
    /: 6 \(annotations\[4\]\.image_id "x0", annotations\[5\].*, annotations\[6\].*"x2", …\)$/,
    2,
  ],
  'a stray point': [
    first((a) => a.segmentation.push([48, 32])),
    /one or two points left out: 1 \(annotations\[0\]\)$/,
    2,
  ],
  'stray points before and behind': [
    first((a) => (a.segmentation = [[48, 32], ...a.segmentation, [48, 32, 50, 32]])),
    /one or two points left out: 2 \(/,
    2,
  ],
  'an area of NaN': [first((a) => (a.area = Number.NaN)), /areas .*: 1 \(annotations\[0\]\.area NaN\)$/, 2],
  'an area below zero': [first((a) => (a.area = -3)), /areas .*annotations\[0\]\.area -3/, 2],
};

for (const [name, [change, message, count]] of Object.entries(WARNED)) {
  test.serial(`${name}: a warning, and the rest is read`, async (t) => {
    const { samples, warnings } = await outcome(change);
    t.is(warnings.length, 1);
    t.regex(warnings[0]!, message);
    t.regex(warnings[0]!, /annotations\.json: /);
    t.deepEqual(samples[0]!.instances.map(shown), PLAIN.slice(2 - count));
    t.deepEqual(samples[1]!.instances.map(shown), PLAIN);
  });
}

test.serial('categories without a name go by their ids, with a warning', async (t) => {
  const { dataset, warnings } = await outcome(each('categories', (c) => delete c.name));
  t.deepEqual(dataset.classNames, ['background', '1', '2']);
  t.regex(warnings[0]!, /without a name.*: 2 \(categories\[0\], categories\[1\]\)$/);
});

test.serial('boxes without area in their images stay as they are, with a warning', async (t) => {
  for (const bbox of [
    [10, 10, 0, 20],
    [200, 200, 30, 20],
    [-40, 0, 30, 20],
  ]) {
    const { samples, warnings } = await outcome(first((a) => (a.bbox = bbox)));
    const [x, y, w, h] = bbox as [number, number, number, number];
    t.deepEqual(samples[0]!.instances[0]!.box, [x, y, x + w, y + h]);
    t.regex(warnings[0]!, /boxes without area.*: 1 \(annotations\[0\]\.bbox \[/);
  }
});

/** Files that cannot be used: the error has the place. */
const REFUSED: Record<string, [(coco: Json) => unknown, RegExp]> = {
  'iscrowd "maybe"': [
    first((a) => (a.iscrowd = 'maybe')),
    /annotations\[0\]\.iscrowd: expected 0 or 1 but received "maybe"$/,
  ],
  'iscrowd 2': [first((a) => (a.iscrowd = 2)), /annotations\[0\]\.iscrowd: expected 0 or 1 but received 2$/],
  'no annotation has its image': [
    each('annotations', (a) => (a.image_id = `no ${a.image_id}`)),
    /none of its 4 annotations .* \(annotations\[0\]\.image_id "no 1", .*; images\[0\]\.id is 1\)/,
  ],
  'leading zeros are part of an id': [
    each('annotations', (a) => (a.image_id = `000${a.image_id}`)),
    /none of its 4 annotations/,
  ],
  'image ids that collide as number and string': [
    (coco) => (coco.images[1].id = '1'),
    /image id 1 is there twice \(images\[0\]\.id and images\[1\]\.id\)/,
  ],
  'category ids that collide': [
    (coco) => (coco.categories[1].id = '1'),
    /category id 1 is there twice \(categories\[0\]\.id and categories\[1\]\.id\)/,
  ],
  'ids that no double tells apart': [
    (coco) => JSON.stringify(coco).replace('"id":2,', '"id":9007199254740993,'),
    /images\[1\]\.id: expected an integer below 2\^53 or a string but received 9007199254740992/,
  ],
  'no width': [
    each('images', (a) => delete a.width),
    /images\[0\]\.width: expected a positive integer but received nothing/,
  ],
  'width "wide"': [(coco) => (coco.images[1].width = 'wide'), /images\[1\]\.width: .* received "wide"/],
  'width NaN': [(coco) => (coco.images[1].width = Number.NaN), /images\[1\]\.width: .* received NaN/],
  'no file name': [(coco) => delete coco.images[1].file_name, /images\[1\]\.file_name: expected a string/],
  'a category without an id': [
    (coco) => delete coco.categories[0].id,
    /categories\[0\]\.id: expected an integer/,
  ],
  'a category name that is a list': [
    (coco) => (coco.categories[0].name = ['a']),
    /categories\[0\]\.name: expected a string but received \["a"\]/,
  ],
  'no categories': [(coco) => (coco.categories = []), /lists no categories/],
  'no list of categories': [(coco) => delete coco.categories, /no list of categories/],
  'an annotation that is a number': [
    (coco) => (coco.annotations[3] = 5),
    /annotations\[3\]: expected an object but received 5/,
  ],
  'an unknown category': [
    first((a) => (a.category_id = 99)),
    /annotations\[0\]\.category_id: expected the id of a category but received 99/,
  ],
  'box of three': [first((a) => (a.bbox = [1, 2, 3])), /annotations\[0\]\.bbox: expected four numbers/],
  'box with NaN': [
    first((a) => (a.bbox[2] = Number.NaN)),
    /annotations\[0\]\.bbox\[2\]: expected a finite number but received NaN/,
  ],
  'box with Infinity': [
    first((a) => (a.bbox[0] = -Infinity)),
    /annotations\[0\]\.bbox\[0\]: .* received -Infinity/,
  ],
  'box with negative width': [
    first((a) => (a.bbox = [40, 10, -30, 20])),
    /annotations\[0\]\.bbox: expected .* sides of at least 0 but received \[40,10,-30,20\]/,
  ],
  'area that is text': [first((a) => (a.area = 'large')), /annotations\[0\]\.area: expected a finite number/],
  'a polygon with null': [
    first((a) => (a.segmentation[0][2] = null)),
    /annotations\[0\]\.segmentation\[0\]\[2\]: .* received null/,
  ],
  'a line alone': [
    first((a) => (a.segmentation = [[10, 10, 30, 20]])),
    /annotations\[0\]\.segmentation: .* three or more corners/,
  ],
  'an odd polygon': [
    first((a) => a.segmentation[0].push(1)),
    /annotations\[0\]\.segmentation\[0\]: .* three or more corners/,
  ],
  'a segmentation in a string': [
    first((a) => (a.segmentation = '[[1,2]]')),
    /annotations\[0\]\.segmentation: expected polygons or RLE/,
  ],
  'RLE in a list': [
    first((a) => (a.segmentation = [{ size: [64, 96], counts: '0' }])),
    /annotations\[0\]\.segmentation\[0\]: expected polygons/,
  ],
  'RLE without size': [
    first((a) => (a.segmentation = { counts: [6144] })),
    /annotations\[0\]\.segmentation\.size: expected two numbers/,
  ],
  'RLE of another size': [
    first((a) => (a.segmentation = { size: [96, 64], counts: [6144] })),
    /segmentation\.size: expected size \[64, 96\]/,
  ],
  'RLE that ends too early': [
    first((a) => (a.segmentation = { size: [64, 96], counts: [5] })),
    /segmentation\.counts: expected runs that cover/,
  ],
  'RLE in base64': [
    first((a) => (a.segmentation = { size: [64, 96], counts: 'WmQwZA==' })),
    /segmentation\.counts: expected COCO's compressed/,
  ],
  'deep nesting': [
    (coco) => JSON.stringify(coco).replace('600', `${'['.repeat(1e5)}${']'.repeat(1e5)}`),
    /nested deeper than 256/,
  ],
};

for (const [name, [change, message]] of Object.entries(REFUSED)) {
  test.serial(`${name}: refused with the place`, async (t) => {
    await t.throwsAsync(outcome(change), { code: 'ERR_NLRCNN_DATASET', message });
  });
}

const NO_MASKS: Record<string, (annotation: Json) => void> = {
  missing: (a) => delete a.segmentation,
  empty: (a) => (a.segmentation = []),
  null: (a) => (a.segmentation = null),
  'an empty polygon': (a) => (a.segmentation = [[]]),
};

for (const [name, change] of Object.entries(NO_MASKS)) {
  test.serial(`boxes alone (segmentation ${name}): optional masks are the rectangles`, async (t) => {
    const changes = each('annotations', change);
    const { samples, dataset } = await outcome(changes, 'optional');
    t.like(dataset.contents, { objects: 4, boxOnly: 4, broken: 0 });
    for (const { instances } of samples) {
      t.deepEqual(instances.map(shown), PLAIN);
      t.true(instances.every(({ boxOnly }) => boxOnly));
    }
    const message = /annotations\[0\]\.segmentation: expected polygons or RLE .*Mask R-CNN .*fasterrcnn/;
    await t.throwsAsync(outcome(changes), { code: 'ERR_NLRCNN_DATASET', message });
    const neither = both(
      changes,
      each('annotations', (a) => delete a.bbox),
    );
    await t.throwsAsync(outcome(neither, 'optional'), {
      message: /annotations\[0\]: expected a bbox or a segmentation/,
    });
  });
}

test.serial('boxes alone are cropped as boxes, not as pixels', async (t) => {
  const data = await cocoFolder(
    JSON.stringify({
      ...plainCoco(),
      annotations: [{ id: 1, image_id: 1, category_id: 2, bbox: [-4, 10.25, 30.5, 20.5] }],
    }),
  );
  const dataset = await openDataset({ format: 'coco', data, masks: 'optional' });
  const loader = new DataLoader(dataset, {
    batchSize: 2,
    workers: 0,
    shuffle: false,
    augment: { crop: [80, 120] },
  });
  for await (const { samples } of loader) {
    t.deepEqual([...samples[0]!.boxes], [0, 10.25, 26.5, 30.75]);
    t.is(samples[1]!.labels.length, 0);
    break;
  }
  await loader.close();
});
