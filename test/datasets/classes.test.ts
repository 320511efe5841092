import test from 'ava';
import { matchClasses, matchLabels } from '../../dist/datasets/classes.js';
import { ImageNames } from '../../dist/datasets/image-names.js';
import { fitDataset, withoutClasses } from '../../dist/datasets/relabel.js';
import { DataLoader, type Dataset, openDataset } from '../../dist/index.js';
import { fixture } from '../helpers/datasets.js';

const match = (from: string[], to: string[]) =>
  matchClasses({ owner: 'one', names: from }, { owner: 'the other', names: to });

test('equal names are the same class, whatever their order', (t) => {
  t.deepEqual(match(['a', 'b', 'c'], ['c', 'd', 'a']), {
    places: [2, -1, 0],
    missing: ['b'],
    unused: ['d'],
  });
  t.deepEqual(match([], ['a']).unused, ['a']);
  // torchvision's name of labels without a class, many times over.
  t.deepEqual(match(['N/A', 'a', 'N/A'], ['N/A', 'a']), { places: [-1, 1, -1], missing: [], unused: [] });
  t.throws(() => match(['a'], ['b', 'b']), {
    code: 'ERR_NLRCNN_DATASET',
    message: /distinct names in the other but b is there twice/,
  });
  t.throws(() => match(['a', 'b', 'a'], ['b']), { message: /distinct names in one but a is there twice/ });
});

test('a model without class names has the data in order, or torchvision’s category ids', (t) => {
  const data = { classNames: ['background', 'person', 'dog'], categoryIds: [0, 1, 18] };
  const labels = (num_classes: number, class_names: string[] = []) =>
    matchLabels(data, { num_classes, class_names });
  t.deepEqual(labels(3).labels, [0, 1, 2]);
  t.regex(labels(3).note!, /no class_names: its labels are taken to be person, dog, in this order/);
  t.deepEqual(labels(91).labels, [0, 1, 18]);
  t.regex(labels(91).note!, /category ids of the data set/);
  t.throws(() => labels(7), { message: /class_names in the model's config as it has 6 classes/ });
  t.deepEqual(labels(4, ['__background__', 'dog', 'cat', 'person']), {
    labels: [0, 3, 1],
    missing: [],
    unused: ['cat'],
  });
  const twice = { classNames: ['background', 'dog', 'dog'] };
  t.throws(() => matchLabels(twice, { num_classes: 3, class_names: [] }), { message: /dog is there twice/ });
});

const coco = () => openDataset({ format: 'coco', data: fixture('coco'), split: 'train' });

async function namesOf(dataset: Dataset): Promise<string[][]> {
  const samples = await Promise.all(
    Array.from({ length: dataset.length }, (_, index) => dataset.sample(index)),
  );
  return samples.map(({ instances }) => instances.map(({ label }) => dataset.classNames[label]!));
}

test('a data set in the labels of a model: samples and what the loader makes of them', async (t) => {
  const dataset = await coco();
  t.deepEqual(dataset.classNames, ['background', 'car', 'train', 'bottle']);
  const class_names = ['__background__', 'bottle', 'dog', 'car', 'train'];
  const fitted = fitDataset(dataset, { class_names, num_classes: 5 });
  t.deepEqual(fitted.dataset.classNames, class_names);
  t.deepEqual(fitted.labels, [3, 4, 1]);
  t.deepEqual(fitted.unused, ['dog']);
  t.deepEqual(await namesOf(fitted.dataset), await namesOf(dataset));
  for (const workers of [0, 1]) {
    const options = { batchSize: 1, workers, epochs: 1, shuffle: false };
    await using before = new DataLoader(dataset, options);
    await using after = new DataLoader(fitted.dataset, options);
    const labels: number[][] = [];
    const relabelled: number[][] = [];
    for await (const { samples } of before) labels.push([...samples[0]!.labels]);
    for await (const { samples } of after) relabelled.push([...samples[0]!.labels]);
    t.true(labels.flat().length > 2);
    t.deepEqual(
      relabelled,
      labels.map((own) => own.map((label) => [0, 3, 4, 1][label]!)),
    );
  }
});

test('a class that the model lacks is named, or left out by name', async (t) => {
  const dataset = await coco();
  const model = { class_names: ['background', 'train', 'car'], num_classes: 3 };
  t.throws(() => fitDataset(dataset, model, { hint: 'see the docs' }), {
    code: 'ERR_NLRCNN_DATASET',
    message: 'Expected classes of the model (train, car) but the data set has bottle: see the docs',
  });
  const { dataset: left, labels } = fitDataset(dataset, model, { ignore: ['bottle'] });
  t.deepEqual(labels, [2, 1]);
  const all = await namesOf(dataset);
  t.deepEqual(
    await namesOf(left),
    all.map((names) => names.filter((name) => name !== 'bottle')),
  );
  t.deepEqual(withoutClasses(dataset, ['train']).classNames, ['background', 'car', 'bottle']);
  t.deepEqual(withoutClasses(dataset, ['train']).categoryIds, [0, 3, 44]);
  t.throws(() => withoutClasses(dataset, ['zebra']), { message: /to leave out but received zebra/ });
  t.throws(() => withoutClasses(dataset, ['car', 'train', 'bottle']), { message: /a class .* to stay/ });
});

test('images are found by the end of their path, then by a base name that only one has', (t) => {
  const image = (id: number, file_name: string) => ({ id, file_name, width: 1, height: 1 });
  const find = (path: string, ...names: string[]) =>
    new ImageNames(
      names.map((name, i) => image(i + 1, name)),
      'gt.json',
    ).find(path).id;
  t.is(find('/data/x/img.png', 'y/img.png', 'x/img.png'), 2);
  t.is(find('/data/x/img.png', 'img.png', 'x/img.png'), 2);
  t.is(find('/data/y/img.png', 'img.png', 'x/img.png'), 1);
  t.is(find('/data/img.png', 'val/img.png', 'val/other.png'), 1);
  t.is(find('/data/x/img.png', 'val\\x\\img.png', 'val\\y\\img.png'), 1);
  t.throws(() => find('/data/z/img.png', 'x/img.png', 'y/img.png'), {
    code: 'ERR_NLRCNN_DATASET',
    message: /z\/img\.png .* of gt\.json but x\/img\.png \(id 1\), y\/img\.png \(id 2\) could be meant/,
  });
  t.throws(() => find('/data/img.png', 'img.png', 'img.png'), { message: /could be meant/ });
  t.throws(() => find('/data/big.png', 'g.png', 'img.png'), { message: /none has that name/ });
});
