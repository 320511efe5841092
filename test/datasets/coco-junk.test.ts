import test from 'ava';
import { type Instance, isNlrcnnError } from '../../dist/index.js';
import { type Json, pythonJson } from '../helpers/coco-folder.js';
import { outcome } from '../helpers/coco-outcome.js';

/** What each place may hold. */
const JUNK: unknown[] = [
  ...[null, true, false, 0, 1, 2, -1, 1.5, 96, 1e308, -1e308, 2 ** 53, Number.NaN, Infinity, -Infinity],
  ...[
    '',
    ' ',
    '0',
    '1',
    '2',
    '1.0',
    '-1',
    '1e3',
    '0x10',
    'NaN',
    'true',
    'maybe',
    'a'.repeat(5000),
    '__proto__',
  ],
  ...[[], [[]], [[[]]], [1], ['1'], [null], [1, 2, 3, 4], ['1', '2', '3', '4'], [1, 2, 3, Number.NaN]],
  ...[
    [1, 2, 3, 4, 5, 6],
    [[1, 2, 3, 4, 5, 6]],
    [
      [1, 2],
      [30, 2],
      [30, 40],
    ],
  ],
  ...[{}, { a: 1 }, { size: [64, 96] }, { size: [64, 96], counts: [6144] }, { size: 5, counts: 'x' }],
  ...[
    { length: 4 },
    { size: ['64', '96'], counts: ['3072', 3072] },
    JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`),
  ],
];

const numeric = (value: unknown): number | undefined => {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  const plain = typeof value === 'string' && /^[-+\d.eE\s]+$/.test(value) && value.trim() !== '';
  return plain && Number.isFinite(Number(value)) ? Number(value) : undefined;
};
const flag = (value: unknown) =>
  value === null || value === false || numeric(value) === 0
    ? false
    : value === true || value === 'true' || numeric(value) === 1
      ? true
      : undefined;

/** For each place: what a value must come out as; undefined: it must be refused. */
const PLACES: Record<
  string,
  [put: (coco: Json, value: unknown) => void, expected: (value: unknown) => unknown]
> = {
  'annotations[0].iscrowd': [(coco, value) => (coco.annotations[0].iscrowd = value), flag],
  'annotations[0].area': [
    (coco, value) => (coco.annotations[0].area = value),
    (value) => {
      if (value === null || (typeof value === 'number' && !(value >= 0 && value < Infinity))) return 600;
      return numeric(value);
    },
  ],
  'images[0].width': [
    (coco, value) => (coco.images[0].width = value),
    (value) => (Number.isSafeInteger(numeric(value)) && numeric(value)! > 0 ? numeric(value) : undefined),
  ],
  'annotations[0].bbox[0]': [(coco, value) => (coco.annotations[0].bbox[0] = value), numeric],
  'annotations[0].category_id': [
    (coco, value) => (coco.annotations[0].category_id = value),
    (value) => (numeric(value) === 1 || numeric(value) === 2 ? numeric(value) : undefined),
  ],
};

for (const [path, [put, expected]] of Object.entries(PLACES)) {
  test.serial(`${path} of any type: the right value, or an error with the place`, async (t) => {
    for (const value of JUNK) {
      const wanted = expected(value);
      const name = pythonJson(value).slice(0, 60);
      try {
        const { samples } = await outcome((coco) => put(coco, value));
        const [{ instances, width }] = samples as [(typeof samples)[0]];
        const [instance] = instances as [Instance];
        const found = { iscrowd: instance.crowd, area: instance.area, width, category_id: instance.label };
        const key = path.split('.')[1]!;
        t.is(key in found ? found[key as 'area'] : instance.box[0], wanted as number, name);
      } catch (error) {
        t.true(isNlrcnnError(error), `${name}: ${error}`);
        t.is(wanted, undefined, `${name}: ${error}`);
        t.true((error as Error).message.includes(`${path}:`), `${name}: ${error}`);
      }
    }
  });
}

const ANYWHERE: ((coco: Json, value: unknown) => void)[] = [
  (coco, value) => (coco.images = value),
  (coco, value) => (coco.images[1] = value),
  (coco, value) => (coco.images[1].id = value),
  (coco, value) => (coco.images[1].file_name = value),
  (coco, value) => (coco.categories = value),
  (coco, value) => (coco.categories[1] = value),
  (coco, value) => (coco.categories[1].id = value),
  (coco, value) => (coco.categories[1].name = value),
  (coco, value) => (coco.annotations = value),
  (coco, value) => (coco.annotations[1] = value),
  (coco, value) => (coco.annotations[1].id = value),
  (coco, value) => (coco.annotations[1].image_id = value),
  (coco, value) => (coco.annotations[1].bbox = value),
  (coco, value) => (coco.annotations[1].segmentation = value),
  (coco, value) => (coco.annotations[1].segmentation[0] = value),
  (coco, value) => (coco.annotations[1].segmentation[0][3] = value),
  (coco, value) => (coco.annotations[1].segmentation = { size: value, counts: [6144] }),
  (coco, value) => (coco.annotations[1].segmentation = { size: [64, 96], counts: value }),
  (coco, value) => (coco.info = value),
];

for (const masks of ['required', 'optional'] as const) {
  test.serial(
    `anything anywhere (masks ${masks}): samples, or an error of the package that says where`,
    async (t) => {
      for (const [i, put] of ANYWHERE.entries()) {
        for (const value of JUNK) {
          const name = `${i} ${pythonJson(value).slice(0, 60)}`;
          try {
            const { samples } = await outcome((coco) => put(coco, value), masks);
            t.true(
              samples.every(({ instances }) => instances.every(({ box }) => box.every(Number.isFinite))),
              name,
            );
          } catch (error) {
            t.true(isNlrcnnError(error), `${name}: ${error}`);
            t.regex((error as Error).message, /images|annotations|categories/, name);
          }
        }
      }
    },
  );
}
