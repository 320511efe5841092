import { basename, join, parse as parsePath } from 'node:path';
import type { DeviceOption } from '../device.js';
import { drawAttention } from '../draw/attention.js';
import { prepareFolder } from '../files/folders.js';
import { writeWhole } from '../files/write-whole.js';
import { loadModel } from '../model.js';
import { DEFAULT_MODEL } from '../weights/load.js';
import { countFlag, listFlag, parse, UsageError } from './args.js';
import { print } from './print.js';

const HELP = `Usage: nlrcnn attention IMAGE --roi K [options]

Draws which other RoIs of a picture the K-th detection (by falling score, from 0) attends to in the Non-local RoI block:
NAME.attention.png, and the weights in NAME.attention.json. Numbers for K: nlrcnn segment.

Options:
  --roi K          the detection
  --head HEAD      box or mask: the block before this head; default mask where the model has it there
  --model NAME     a model of the package; default ${DEFAULT_MODEL}
  --weights FILE   your own weights, safetensors or a PyTorch checkpoint
  --config FILE    their config.json; default: beside the weights
  --device DEVICE  auto, cpu, cuda or cuda:N; default auto
  --out DIR        where results go; default .
  --help           this text

Example:
  nlrcnn attention cells.png --roi 0 --out results
`;

/** RoIs that the printed line names. */
const PRINTED = 5;

export async function attention(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    roi: { type: 'string' },
    head: { type: 'string' },
    model: { type: 'string' },
    weights: { type: 'string' },
    config: { type: 'string' },
    device: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    await print(HELP);
    return 0;
  }
  const [image, ...more] = positionals;
  if (image === undefined || more.length > 0) throw new UsageError('Expected one picture');
  const roi = countFlag('roi', values.roi);
  if (roi === undefined) throw new UsageError('Expected --roi with the number of a detection');
  if (values.model !== undefined && values.weights !== undefined)
    throw new UsageError('Expected either --model or --weights but received both');
  const [head] = values.head === undefined ? [] : listFlag('head', values.head, ['box', 'mask'] as const);
  const out = values.out ?? '.';
  await prepareFolder(out);
  const { model: name, weights, config } = values;
  const device = values.device as DeviceOption | undefined;
  using model = await loadModel({ model: name, weights, config, device });
  const result = await model.attention(image, { roi, head });
  const stem = join(out, `${parsePath(image).name}.attention`);
  const { input_normalization: normalization } = model.config;
  const percentiles = normalization === 'none' ? undefined : normalization.percentiles;
  const { rois, weights: weight, perHead, detections, ...rest } = result;
  const json = {
    image: basename(image),
    ...rest,
    rois: rois.map(({ box }, i) => ({ box, weight: weight[i], perHead: perHead.map((row) => row[i]) })),
  };
  await writeWhole(`${stem}.png`, await drawAttention(image, result, { percentiles }));
  await writeWhole(`${stem}.json`, `${JSON.stringify(json)}\n`);
  const order = [...weight.keys()].sort((a, b) => weight[b]! - weight[a]!).slice(0, PRINTED);
  const { label, score } = detections[roi]!;
  const list = order.map((i) => `${i === result.roi ? 'itself' : i} ${weight[i]!.toFixed(3)}`).join(', ');
  await print(
    `${image}  ${label} ${score.toFixed(2)} attends (${result.head} head, ${rois.length} RoIs): ${list} → ${stem}.png, ${stem}.json\n`,
  );
  return 0;
}
