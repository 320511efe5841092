import { abortable } from '../abort.js';
import { checkAnnotations } from '../datasets/check.js';
import { nameSome, onlyClass } from '../datasets/classes.js';
import { type DatasetFormat, openDataset } from '../datasets/open.js';
import { fitDataset } from '../datasets/relabel.js';
import { imageOf } from '../datasets/sample-image.js';
import type { DeviceOption } from '../device.js';
import { COCO_STATS } from '../evaluate/coco.js';
import { evaluateCocoFiles } from '../evaluate/coco-files.js';
import { type EvaluatedPicture, evaluatePictures, METRICS } from '../evaluate/images.js';
import { loadModel } from '../model.js';
import { listFlag, numberFlag, parse, UsageError } from './args.js';
import { print } from './print.js';
import { startProgress } from './progress.js';

const HELP = `Usage: nlrcnn eval --gt INSTANCES.json --results RESULTS.json [--type segm,bbox] [--json]
       nlrcnn eval --data DIR --format FORMAT --split NAME [--model NAME | --weights FILE] [options]

Scores a COCO results file as pycocotools does, or a network on a data set. Classes are matched by name; a results file that
is a list has ids alone.

Options:
  --gt FILE, --results FILE   COCO instances and results: a list, or a data set as segment --format coco writes it
  --type segm,bbox            what to compare; default segm, and with --data all that the model finds
  --data DIR                  a data set, with --format coco, labelmaps, cityscapes or kitti, and --split
  --model NAME                a bundled model; default the first. Or --weights FILE with --config FILE
  --class-name NAME           labelmaps: what the objects are; default the model's class, where it has one
  --ignore-classes LIST       leave the data set's objects of these classes out, with commas between
  --metric coco,stardist,cityscapes
                              default coco. stardist: TP / (TP + FP + FN) by IoU, of masks as one label map; cityscapes: AP and
                              AP50 as its benchmark has them
  --exif apply,ignore         whether images are turned upright by their EXIF orientation, as their annotations count pixels
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
  'class-name': { type: 'string' },
  'ignore-classes': { type: 'string' },
  metric: { type: 'string' },
  exif: { type: 'string' },
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
  const report = files ? await ofResults(values, signal) : await ofDataset(values, signal);
  await print(values.json ? `${JSON.stringify(report)}\n` : table(report));
  return 0;
}

type Report = Record<string, number[] | Record<string, unknown>>;

async function ofResults({ gt, results, type = 'segm' }: Values, signal: AbortSignal): Promise<Report> {
  if (gt === undefined || results === undefined) throw new UsageError('Expected both --gt and --results');
  const report: Report = {};
  const perClass: Record<string, Record<string, { AP: number; AP50: number }>> = {};
  const notes = new Set<string>();
  for (const kind of listFlag('type', type, TYPES)) {
    const found = await abortable(evaluateCocoFiles(gt, results, kind), signal);
    report[kind] = found.stats;
    const names = [...found.categories.values()];
    const nameOf = (id: number) => {
      const name = found.categories.get(id)!;
      return names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (id ${id})`;
    };
    perClass[kind] = Object.fromEntries(
      found.perClass.map(({ category, AP, AP50 }) => [nameOf(category), { AP, AP50 }]),
    );
    for (const note of found.notes) notes.add(note);
  }
  for (const note of notes) process.stderr.write(`nlrcnn: ${note}\n`);
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
  const [exif] = values.exif === undefined ? [] : listFlag('exif', values.exif, ['apply', 'ignore'] as const);
  using model = await loadModel({ model: name, weights, config, device: device as DeviceOption | undefined });
  const found: readonly (typeof TYPES)[number][] =
    model.config.architecture === 'maskrcnn' ? TYPES : ['bbox'];
  const kinds = values.type === undefined ? found : listFlag('type', values.type, found);
  const masks =
    kinds.includes('segm') || metrics.some((metric) => metric !== 'coco') ? 'required' : 'optional';
  const className = values['class-name'] ?? onlyClass(model.config);
  const opened = await openDataset({ format: known!, data: data!, split, className, masks, exif });
  checkAnnotations(opened, 'val', 'fail');
  const ignore = values['ignore-classes']?.split(',');
  const hint = `leave its objects out with --ignore-classes${known === 'labelmaps' ? ', or name them with --class-name' : ''}`;
  const { dataset, labels, unused, notes } = fitDataset(opened, model.config, { ignore, hint });
  if (unused.length > 0) notes.push(`the data set has no ${nameSome(unused)}: not scored`);
  for (const note of notes) process.stderr.write(`nlrcnn: ${note}\n`);
  const pictures: EvaluatedPicture[] = [];
  const progress = startProgress(dataset.length);
  try {
    for (let i = 0; i < dataset.length; i++) {
      const sample = await dataset.sample(i);
      const image = await imageOf(sample, model.config.input_normalization === 'none');
      pictures.push({ sample, result: await model.segment(image, { signal }) });
      progress.step();
    }
  } finally {
    progress.stop();
  }
  const numbers = evaluatePictures(pictures, labels, { metrics, kinds, score });
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
