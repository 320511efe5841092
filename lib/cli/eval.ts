import { type DatasetFormat, openDataset } from '../datasets/open.js';
import type { DeviceOption } from '../device.js';
import { COCO_STATS } from '../evaluate/coco.js';
import { evaluateCocoFiles } from '../evaluate/coco-files.js';
import { type EvaluatedPicture, evaluatePictures, METRICS } from '../evaluate/pictures.js';
import { loadModel } from '../model.js';
import { listFlag, numberFlag, parse, UsageError } from './args.js';
import { print } from './print.js';
import { startProgress } from './progress.js';

const HELP = `Usage: nlrcnn eval --gt INSTANCES.json --results RESULTS.json [--type segm,bbox] [--json]
       nlrcnn eval --data DIR --format FORMAT --split NAME [--model NAME | --weights FILE] [options]

Scores a COCO results file as pycocotools does, or a network on a data set.

Options:
  --gt FILE, --results FILE   COCO instances and results
  --type segm,bbox            what to compare; default segm
  --data DIR                  a data set, with --format coco, labelmaps, cityscapes or kitti, and --split
  --model NAME                a bundled model; default the first. Or --weights FILE with --config FILE
  --metric coco,stardist,cityscapes
                              default coco. stardist: TP / (TP + FP + FN) by IoU, of masks as one label map; cityscapes: AP and
                              AP50 as its benchmark has them
  --score S                   detections above this count for stardist; default 0.5
  --device DEVICE             auto, cpu, cuda or cuda:N; default auto
  --json                      print JSON alone
  --help                      this text
`;

const OPTIONS = {
  gt: { type: 'string' },
  results: { type: 'string' },
  type: { type: 'string' },
  data: { type: 'string' },
  format: { type: 'string' },
  split: { type: 'string' },
  model: { type: 'string' },
  weights: { type: 'string' },
  config: { type: 'string' },
  metric: { type: 'string' },
  score: { type: 'string' },
  device: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const TYPES = ['segm', 'bbox'] as const;
const FORMATS: readonly DatasetFormat[] = ['coco', 'labelmaps', 'cityscapes', 'kitti'];

type Values = ReturnType<typeof parse<typeof OPTIONS>>['values'];

export async function evaluate(args: string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parse(args, OPTIONS);
  if (values.help) {
    await print(HELP);
    return 0;
  }
  if (positionals.length > 0) throw new UsageError(`Expected options only but received ${positionals[0]}`);
  const files = values.gt !== undefined || values.results !== undefined;
  if (files === (values.data !== undefined)) {
    throw new UsageError('Expected either --gt and --results or --data');
  }
  const report = files ? await ofResults(values) : await ofDataset(values, signal);
  await print(values.json ? `${JSON.stringify(report)}\n` : table(report));
  return 0;
}

type Report = Record<string, number[] | Record<string, unknown>>;

async function ofResults({ gt, results, type = 'segm' }: Values): Promise<Report> {
  if (gt === undefined || results === undefined) throw new UsageError('Expected both --gt and --results');
  const report: Report = {};
  const perClass: Record<string, Record<string, { AP: number; AP50: number }>> = {};
  for (const kind of listFlag('type', type, TYPES)) {
    const found = await evaluateCocoFiles(gt, results, kind);
    report[kind] = found.stats;
    perClass[kind] = Object.fromEntries(
      found.perClass.map(({ category, AP, AP50 }) => [found.categories.get(category)!, { AP, AP50 }]),
    );
  }
  return { ...report, perClass };
}

async function ofDataset(values: Values, signal: AbortSignal): Promise<Report> {
  const { data, format, split, model: name, weights, config, device } = values;
  if (format === undefined || split === undefined) {
    throw new UsageError('Expected --format and --split with --data');
  }
  if (name !== undefined && weights !== undefined) {
    throw new UsageError('Expected either --model or --weights but received both');
  }
  const [known] = listFlag('format', format, FORMATS);
  const metrics = listFlag('metric', values.metric ?? 'coco', METRICS);
  const score = numberFlag('score', values.score, 0, 1) ?? 0.5;
  const dataset = await openDataset({ format: known!, data: data!, split });
  using model = await loadModel({ model: name, weights, config, device: device as DeviceOption | undefined });
  const pictures: EvaluatedPicture[] = [];
  const progress = startProgress(dataset.length);
  try {
    for (let i = 0; i < dataset.length; i++) {
      const sample = await dataset.sample(i);
      pictures.push({ sample, result: await model.segment(sample.image, { signal }) });
      progress.step();
    }
  } finally {
    progress.stop();
  }
  const kinds = model.config.architecture === 'maskrcnn' ? TYPES : (['bbox'] as const);
  const numbers = evaluatePictures(pictures, model.config.num_classes, { metrics, kinds, score });
  const report: Report = {};
  for (const kind of kinds) {
    if (metrics.includes('coco')) report[kind] = COCO_STATS.map((stat) => numbers[`${kind}_${stat}`]!);
  }
  for (const metric of ['stardist', 'cityscapes'] as const) {
    if (!metrics.includes(metric)) continue;
    const own = Object.entries(numbers).filter(([key]) => key.startsWith(`${metric}_`));
    report[metric] = Object.fromEntries(own.map(([key, value]) => [key.slice(metric.length + 1), value]));
  }
  return report;
}

function table(report: Report): string {
  const lines: string[] = [];
  for (const kind of TYPES) {
    const stats = report[kind] as number[] | undefined;
    for (const [i, name] of COCO_STATS.entries()) {
      if (stats) lines.push(`${kind}  ${name.padEnd(6)} ${stats[i]!.toFixed(3)}`);
    }
  }
  for (const [iou, value] of Object.entries((report.stardist ?? {}) as Record<string, number>)) {
    lines.push(`stardist  IoU ${iou}  ${value.toFixed(3)}`);
  }
  for (const [name, value] of Object.entries((report.cityscapes ?? {}) as Record<string, number>)) {
    lines.push(`cityscapes  ${name.padEnd(4)}  ${value.toFixed(3)}`);
  }
  return `${lines.join('\n')}\n`;
}
