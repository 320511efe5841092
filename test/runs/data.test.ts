import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { evaluatePictures } from '../../dist/evaluate/images.js';
import type { Dataset } from '../../dist/index.js';
import { parseTrainingConfig } from '../../dist/runs/config.js';
import { openRunData } from '../../dist/runs/data.js';
import { RunFolder } from '../../dist/runs/run-folder.js';
import { fixture } from '../helpers/datasets.js';
import { discs } from '../helpers/small-training.js';

interface Instances {
  annotations: { category_id: number }[];
  categories: { id: number; name: string }[];
}

const fresh = () => mkdtempSync(join(tmpdir(), 'nlrcnn-'));

/** The coco fixture with a file for evaluation of the same pictures, its categories (by name) having these ids. */
function withVal(ids: Record<string, number>): string {
  const folder = fresh();
  cpSync(fixture('coco'), folder, { recursive: true });
  cpSync(join(folder, 'train'), join(folder, 'val'), { recursive: true });
  const path = join(folder, 'annotations', 'instances_train.json');
  const train = JSON.parse(readFileSync(path, 'utf8')) as Instances;
  const nameOf = new Map(train.categories.map(({ id, name }) => [id, name]));
  const val = {
    ...train,
    annotations: train.annotations.flatMap((annotation) => {
      const id = ids[nameOf.get(annotation.category_id)!];
      return id === undefined ? [] : [{ ...annotation, category_id: id }];
    }),
    categories: Object.entries(ids).map(([name, id]) => ({ id, name })),
  };
  writeFileSync(join(folder, 'annotations', 'instances_val.json'), JSON.stringify(val));
  return folder;
}

const open = (dir: string, data: Record<string, unknown> = {}, model: Record<string, unknown> = {}) =>
  openRunData(
    parseTrainingConfig({
      model: { num_classes: 4, ...model },
      data: { format: 'coco', dir, train_split: 'train', val_split: 'val', ...data },
    }),
  );

const labelsOf = async (dataset: Dataset): Promise<string[]> => {
  const samples = await Promise.all([...Array(dataset.length).keys()].map((index) => dataset.sample(index)));
  return samples.flatMap(({ instances }) => instances.map(({ label }) => dataset.classNames[label]!));
};

test('other ids and another order: what is found by the training classes scores 1', async (t) => {
  const { model, train, val } = await open(withVal({ train: 1, bottle: 2, car: 8 }));
  t.deepEqual(model.class_names, ['background', 'car', 'train', 'bottle']);
  t.deepEqual(await labelsOf(val!.dataset), await labelsOf(train));
  const pictures = [];
  for (let i = 0; i < train.length; i++) {
    const [sample, truth] = [await val!.dataset.sample(i), await train.sample(i)];
    const { width, height } = truth;
    const detections = truth.instances
      .filter(({ crowd }) => !crowd)
      .map(({ label, box, mask }) => ({ label: '', labelId: label, score: 0.9, box, mask }));
    const milliseconds = { decode: 0, network: 0, total: 0 };
    pictures.push({ sample, result: { width, height, detections, milliseconds } });
  }
  const options = { metrics: ['coco'], kinds: ['segm'], score: 0.5 } as const;
  t.is(evaluatePictures(pictures, val!.labels, options).segm_AP, 1);
});

test('fewer classes for evaluation are named in a note, and alone are scored', async (t) => {
  const { val, notes } = await open(withVal({ bottle: 1, train: 2 }));
  t.deepEqual(val!.labels, [3, 2]);
  t.deepEqual(notes, ['the data for evaluation has no car: not scored']);
  const names = await labelsOf(val!.dataset);
  t.deepEqual([...new Set(names)].sort(), ['bottle', 'train']);
});

test('a class that the model lacks is refused by name, or left out by name', async (t) => {
  const dir = withVal({ car: 3, train: 7, bottle: 44, zebra: 45 });
  await t.throwsAsync(open(dir), {
    code: 'ERR_NLRCNN_DATASET',
    message:
      /classes of the model \(car, train, bottle\) but the data for evaluation has zebra: .*data\.ignore_classes/,
  });
  const { val } = await open(dir, { ignore_classes: ['zebra'] });
  t.deepEqual(val!.labels, [1, 2, 3]);
  await t.throwsAsync(open(dir, { ignore_classes: ['lion'] }), {
    code: 'ERR_NLRCNN_CONFIG',
    message: /for data\.ignore_classes but received lion/,
  });
  // Left out of both parts; the model has a class less.
  const fewer = await open(dir, { ignore_classes: ['zebra', 'car'] }, { num_classes: 3 });
  t.deepEqual(fewer.model.class_names, ['background', 'train', 'bottle']);
  t.false((await labelsOf(fewer.train)).includes('car'));
});

test('names in the model: any order, more than the data have, never fewer', async (t) => {
  const dir = withVal({ car: 3 });
  const named = (...class_names: string[]) =>
    open(dir, {}, { class_names: ['background', ...class_names], num_classes: class_names.length + 1 });
  const plain = await open(dir);
  const { model, train, notes } = await named('bottle', 'dog', 'train', 'car');
  t.deepEqual(model.class_names, ['background', 'bottle', 'dog', 'train', 'car']);
  t.deepEqual(train.classNames, model.class_names);
  t.deepEqual(await labelsOf(train), await labelsOf(plain.train));
  t.regex(notes.join('\n'), /the training data has no dog/);
  await t.throwsAsync(named('car', 'truck', 'bottle'), {
    code: 'ERR_NLRCNN_DATASET',
    message: /classes of the model \(car, truck, bottle\) but the training data has train/,
  });
  await t.throwsAsync(named('car', 'car', 'train', 'bottle'), {
    message: /the model but car is there twice/,
  });
});

test('label maps are of the model’s class where nobody names them', async (t) => {
  const dir = await discs();
  const data = { format: 'labelmaps', dir, class_name: null };
  const { model, val } = await open('', data, { num_classes: 2, class_names: ['background', 'disc'] });
  t.deepEqual(model.class_names, ['background', 'disc']);
  t.deepEqual(val!.labels, [1]);
  const unnamed = await open('', data, { num_classes: 2 });
  t.deepEqual(unnamed.model.class_names, ['background', 'object']);
  const other = open('', { ...data, class_name: 'cell' }, { num_classes: 2, class_names: ['bg', 'disc'] });
  await t.throwsAsync(other, { message: /\(disc\) but the training data has cell/ });
});

test('a run from before a key was there goes on with its default', async (t) => {
  const out = join(fresh(), 'run');
  const config = parseTrainingConfig({ data: { format: 'coco', dir: 'toy' } });
  await (await RunFolder.open(out, config, false)).close();
  const path = join(out, 'config.json');
  const stored = JSON.parse(readFileSync(path, 'utf8')) as { data: Record<string, unknown> };
  t.deepEqual(stored.data.ignore_classes, []);
  delete stored.data.ignore_classes;
  writeFileSync(path, JSON.stringify(stored));
  await (await RunFolder.open(out, config, true)).close();
  const changed = parseTrainingConfig({ data: { format: 'coco', dir: 'toy', ignore_classes: ['a'] } });
  await t.throwsAsync(RunFolder.open(out, changed, true), { message: /data\.ignore_classes differ/ });
});
