import { resolve } from 'node:path';
import type { DatasetFormat } from '../datasets/open.js';
import { withoutClasses } from '../datasets/relabel.js';
import { applyOverride, type DataConfig, parseTrainingConfig } from '../runs/config.js';
import { findSplits, openSplit } from '../runs/data.js';
import { suggestConfig, surveyDataset } from '../runs/suggest.js';
import { formatConfig } from '../schema.js';
import { parse, UsageError } from './args.js';
import { print } from './print.js';

const FORMATS = ['labelmaps', 'coco', 'cityscapes', 'kitti'];

const HELP = `Usage: nlrcnn init-config [--data DIR --format FORMAT] [--set KEY.PATH=VALUE …]

Prints a complete training config to standard output. With --data it looks into the pictures: class names, splits, sizes at
which the objects are large enough, anchors that fit them.

Options:
  --data DIR              folder of the data set
  --format FORMAT         ${FORMATS.join(', ')}
  --set KEY.PATH=VALUE    another value for one key, such as optimizer.lr=0.001; may be repeated
  --help                  this text

Examples:
  nlrcnn init-config --data dsb2018 --format labelmaps --set data.class_name=nucleus > nuclei.json
  nlrcnn init-config --data coco --format coco --set steps=90000 > coco.json
`;

export async function initConfig(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    data: { type: 'string' },
    format: { type: 'string' },
    set: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    await print(HELP);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`Expected no arguments but received ${positionals.join(' ')}`);
  const { data: dir, format, set = [] } = values;
  if ((dir === undefined) !== (format === undefined))
    throw new UsageError('Expected --data and --format together');
  if (format !== undefined && !FORMATS.includes(format))
    throw new UsageError(`Expected --format of ${FORMATS.join(', ')} but received ${format}`);
  const config =
    dir === undefined
      ? { data: { format: 'coco', dir: 'data' } }
      : await suggest(dir, format as DatasetFormat, set);
  for (const override of set) applyOverride(config, override);
  const complete = parseTrainingConfig(config);
  if (dir === undefined) complete.data.dir = 'data';
  await print(`${formatConfig(complete)}\n`);
  return 0;
}

async function suggest(
  dir: string,
  format: DatasetFormat,
  overrides: readonly string[],
): Promise<Record<string, unknown>> {
  const given: Record<string, unknown> = {
    data: { format, dir: resolve(dir), ...(await findSplits(format, dir)) },
  };
  for (const override of overrides) if (override.startsWith('data.')) applyOverride(given, override);
  const data = given.data as Partial<DataConfig>;
  const settings = parseTrainingConfig(given).data;
  const dataset = withoutClasses(
    await openSplit(settings, 'train', { masks: 'optional' }),
    settings.ignore_classes,
  );
  return suggestConfig(await surveyDataset(dataset), dataset.classNames, data);
}
