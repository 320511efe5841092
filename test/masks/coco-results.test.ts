import test from 'ava';
import { type Segmentation, toCocoDataset, toCocoResults } from '../../dist/index.js';
import { rectangle } from '../helpers/rectangle.js';

const mask = rectangle(20, 30)(2, 3, 5, 4);
const milliseconds = { decode: 0, network: 0, total: 0 };
const result: Segmentation = {
  width: 30,
  height: 20,
  milliseconds,
  detections: [
    { label: 'dog', labelId: 3, score: 0.9, box: [2, 3, 7, 7.5], mask },
    { label: 'car', labelId: 1, score: 0.8, box: [1, 1, 4, 5] },
  ],
};
const empty: Segmentation = { width: 8, height: 9, milliseconds, detections: [] };

test('results: labels without a category are left out', (t) => {
  const entry = { image_id: 'a', category_id: 18, bbox: [2, 3, 5, 4.5], score: 0.9, segmentation: mask };
  t.deepEqual(
    toCocoResults(result, 'a', (label) => (label === 3 ? 18 : undefined)),
    [entry] as never,
  );
  t.deepEqual(
    toCocoResults(result, 4).map(({ category_id }) => category_id),
    [3, 1],
  );
});

test('a data set: every image, every class of the model, annotations with score and area', (t) => {
  const names = ['__background__', 'car', 'N/A', 'dog'];
  const images = [empty, result, result].map((own, i) => ({ name: `${i}/img.png`, result: own }));
  const { info, licenses, ...rest } = toCocoDataset(images, names);
  t.deepEqual([Object.keys(info), licenses], [['description', 'version'], []]);
  t.deepEqual(rest.images, [
    { id: 1, file_name: '0/img.png', width: 8, height: 9 },
    { id: 2, file_name: '1/img.png', width: 30, height: 20 },
    { id: 3, file_name: '2/img.png', width: 30, height: 20 },
  ]);
  t.deepEqual(rest.categories, [
    { id: 1, name: 'car' },
    { id: 3, name: 'dog' },
  ]);
  t.deepEqual(
    rest.annotations.map(({ id, image_id, category_id, area }) => [id, image_id, category_id, area]),
    [
      [1, 2, 3, 20],
      [2, 2, 1, 12],
      [3, 3, 3, 20],
      [4, 3, 1, 12],
    ],
  );
  t.deepEqual(rest.annotations[0], {
    id: 1,
    image_id: 2,
    category_id: 3,
    bbox: [2, 3, 5, 4.5],
    score: 0.9,
    segmentation: mask,
    area: 20,
    iscrowd: 0,
  });
  // Without names, the labels that were found.
  t.deepEqual(toCocoDataset(images).categories, rest.categories);
  t.deepEqual(toCocoDataset([{ name: 'a.png', result: empty }]).annotations, []);
});
