import { cudaVerdict } from '../cuda.js';
import type { DeviceOption, Precision } from '../device.js';
import { isNlrcnnError } from '../errors.js';
import { prepareFolder } from '../files/folders.js';
import { loadModel, type Model, type Segmentation } from '../model.js';
import { bundledModels, DEFAULT_MODEL } from '../weights/load.js';
import { countFlag, listFlag, numberFlag, parse, UsageError } from './args.js';
import { type CocoRun, categoriesOf, findInGroundTruth, sizeNotes, writeCoco } from './coco-output.js';
import { failureText } from './failure.js';
import {
  checkNoImageReplaced,
  FORMATS,
  type Format,
  OVERLAY_SCORE,
  resultNames,
  toJson,
  writeResults,
} from './outputs.js';
import { print } from './print.js';
import { startProgress } from './progress.js';

const HELP = `Usage: nlrcnn segment IMAGE… [options]

Finds the objects of pictures (JPEG, PNG, WebP, TIFF). By default writes NAME.json and NAME.overlay.png for each.

Options:
  --model NAME           a model of the package (${bundledModels().join(', ')}); default ${DEFAULT_MODEL}
  --weights FILE         your own weights, safetensors or a PyTorch checkpoint, with torchvision's names
  --config FILE          their config.json; default: beside the weights
  --device DEVICE        auto, cpu, cuda or cuda:N; default auto
  --precision P          fp32, bf16, fp16 or tf32; default fp32
  --score S              only objects of at least this score, 0 to 1 (overlays alone: 0.5)
  --max-detections N     at most this many for each picture
  --out DIR              where results go, - for JSON on standard output; default .
  --format LIST          json, overlay, png (16-bit label map NAME.labels.png), coco (coco-results.json: one data set of
                         all pictures), polygons (NAME.polygons.json), with commas between; default json,overlay
  --gt FILE              with coco: an instances file of these pictures; coco-results.json is then COCO's results list with
                         its image ids (by file name) and category ids (by class name), for nlrcnn eval and pycocotools
  --help                 this text

Examples:
  nlrcnn segment cells.png
  nlrcnn segment *.jpg --out results --score 0.7 --format json,overlay,coco
  nlrcnn segment photo.jpg --weights maskrcnn.safetensors --config config.json
  nlrcnn segment photo.jpg --format json --out - | jq '.detections[].label'
`;

const OPTIONS = {
  model: { type: 'string' },
  weights: { type: 'string' },
  config: { type: 'string' },
  device: { type: 'string' },
  precision: { type: 'string' },
  score: { type: 'string' },
  'max-detections': { type: 'string' },
  out: { type: 'string' },
  format: { type: 'string' },
  gt: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Pictures worked on at once: while the device segments one, others are decoded and drawn. */
const AT_ONCE = 2;

interface Job {
  images: string[];
  /** Of the results of each image. */
  names: string[];
  model: Model;
  out: string;
  formats: Format[];
  score: number | undefined;
  maxDetections: number | undefined;
  truth: CocoRun['truth'];
  signal: AbortSignal;
}

/** Exit code 1 where a picture failed; the others are still done. */
export async function segment(args: string[], signal: AbortSignal): Promise<number> {
  const { values, positionals: images } = parse(args, OPTIONS);
  if (values.help) {
    await print(HELP);
    return 0;
  }
  if (images.length === 0) throw new UsageError('Expected at least one picture');
  if (values.model !== undefined && values.weights !== undefined) {
    throw new UsageError('Expected either --model or --weights but received both');
  }
  const score = numberFlag('score', values.score, 0, 1);
  const maxDetections = countFlag('max-detections', values['max-detections']);
  const out = values.out ?? '.';
  const formats = listFlag('format', values.format ?? (out === '-' ? 'json' : 'json,overlay'), FORMATS);
  if (out === '-' && formats.join() !== 'json') throw new UsageError('Expected --format json with --out -');
  if (values.gt !== undefined && !formats.includes('coco')) {
    throw new UsageError('Expected --format with coco for --gt');
  }
  const names = resultNames(images, formats);
  if (out !== '-') {
    await prepareFolder(out);
    await checkNoImageReplaced(images, names, formats, out);
  }
  const found = values.gt === undefined ? undefined : await findInGroundTruth(values.gt, images);
  const { weights, config } = values;
  const device = values.device as DeviceOption | undefined;
  const precision = values.precision as Precision | undefined;
  using model = await loadModel({ model: values.model, weights, config, device, precision });
  if (model.device === 'cpu' && (device ?? 'auto') === 'auto')
    process.stderr.write(`nlrcnn: on the CPU, as ${cudaVerdict().reason}\n`);
  let truth: CocoRun['truth'];
  if (found) {
    const { categoryOf, notes } = categoriesOf(found, model.config);
    truth = { images: found.images, categoryOf };
    for (const note of notes) process.stderr.write(`nlrcnn: ${note}\n`);
  }
  return await run({ images, names, model, out, formats, score, maxDetections, truth, signal });
}

async function run(job: Job): Promise<number> {
  const { images, names, model, out, formats, signal } = job;
  const together = out === '-' || formats.includes('coco');
  const results = new Array<Segmentation | undefined>(images.length);
  const rows = new Array<string>(images.length);
  const progress = startProgress(images.length);
  let failed = 0;
  let next = 0;
  const work = async () => {
    while (next < images.length && !signal.aborted) {
      const i = next++;
      const image = images[i]!;
      try {
        const { score, maxDetections } = job;
        const result = await model.segment(image, { score, maxDetections, signal });
        if (together) results[i] = result;
        const written =
          out === '-'
            ? []
            : await writeResults(image, model, result, { out, name: names[i]!, formats, score });
        rows[i] = describe(image, result, written, score ?? OVERLAY_SCORE);
      } catch (error) {
        if (!isNlrcnnError(error)) throw error;
        if (signal.aborted && error.code === 'ERR_NLRCNN_CANCELLED') return;
        failed++;
        process.stderr.write(`nlrcnn: ${failureText(error)}\n`);
      }
      progress.step();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, images.length) }, work));
  } finally {
    progress.stop();
  }
  if (signal.aborted) {
    // What holds the results of all images would look as if it did.
    await print(rows.filter(Boolean).join(''));
    process.stderr.write('nlrcnn: stopped\n');
    return 1;
  }
  if (out === '-') {
    const printed = images.flatMap((image, i) => (results[i] ? [toJson(image, model, results[i])] : []));
    if (printed.length > 0) await print(`${JSON.stringify(images.length === 1 ? printed[0] : printed)}\n`);
  } else {
    await print(rows.filter(Boolean).join(''));
    if (formats.includes('coco')) {
      const done = images.flatMap((image, i) => (results[i] ? [[image, results[i]] as const] : []));
      const { truth } = job;
      const coco = { model: model.config, results: done, truth };
      for (const note of sizeNotes(coco)) process.stderr.write(`nlrcnn: ${note}\n`);
      await print(`all images → ${await writeCoco(out, coco)}\n`);
    }
  }
  return failed > 0 ? 1 : 0;
}

/** One line: size, objects by class (those that the overlay shows), time, files. */
function describe(
  image: string,
  { width, height, detections, milliseconds }: Segmentation,
  written: string[],
  score: number,
): string {
  const shown = detections.filter((detection) => detection.score >= score);
  const counts = new Map<string, number>();
  for (const { label } of shown) counts.set(label, (counts.get(label) ?? 0) + 1);
  const found = [...counts].map(([label, n]) => `${n} × ${label}`).join(', ') || 'nothing';
  const rest = detections.length - shown.length;
  const below = rest > 0 ? `, ${rest} below ${score}` : '';
  const files = written.length > 0 ? ` → ${written.join(', ')}` : '';
  return `${image}  ${width}×${height}  ${found}${below}  ${Math.round(milliseconds.total)} ms${files}\n`;
}
