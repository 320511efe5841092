import { readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { DeviceOption } from '../device.js';
import { NlrcnnError } from '../errors.js';
import { applyOverride, parseTrainingConfig } from '../runs/config.js';
import { train as runTrain } from '../runs/train.js';
import { parseJson } from '../schema.js';
import { parse, UsageError } from './args.js';
import { print } from './print.js';
import { startTrainingProgress, type TrainingProgress } from './progress.js';

const HELP = `Usage: nlrcnn train CONFIG.json [options]

Trains Mask R-CNN as the config says (nlrcnn init-config prints one). Ctrl-C writes a checkpoint and ends; a second one ends at
once.

Options:
  --out DIR               where the run goes; default runs/NAME of the config. It gets config.json, metrics.jsonl (an object a
                          step), checkpoint-STEP/, model/ (for nlrcnn segment --weights) and report.html
  --resume                continue the run in --out from its last checkpoint, exactly as if it had not been stopped
  --device DEVICE         auto, cpu, cuda or cuda:N; default auto
  --set KEY.PATH=VALUE    another value for one key, such as optimizer.lr=0.001; may be repeated
  --help                  this text

Examples:
  nlrcnn init-config --data dsb2018 --format labelmaps > nuclei.json
  nlrcnn train nuclei.json --out runs/nuclei --set steps=8000
  nlrcnn train nuclei.json --out runs/nuclei --set steps=8000 --resume
`;

export async function train(args: string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parse(args, {
    out: { type: 'string' },
    resume: { type: 'boolean' },
    device: { type: 'string' },
    set: { type: 'string', multiple: true },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    await print(HELP);
    return 0;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('Expected one config file');
  const given = await readConfig(file);
  for (const override of values.set ?? []) applyOverride(given, override);
  const config = parseTrainingConfig(given);
  const out = values.out ?? join('runs', basename(file, extname(file)));
  let progress: TrainingProgress | undefined;
  const note = (text: string) => (progress ? progress.note(text) : process.stderr.write(`${text}\n`));
  const stopping = () => note('ending after this step, with a checkpoint; Ctrl-C again ends at once');
  signal.addEventListener('abort', stopping, { once: true });
  try {
    const result = await runTrain(config, {
      out,
      resume: values.resume ?? false,
      device: values.device as DeviceOption | undefined,
      signal,
      note,
      start: (step) => {
        progress = startTrainingProgress(config.steps, step);
      },
      step: (record) => progress?.step(record),
      checkpoint: (path) => note(`checkpoint ${path}`),
      evaluating: (step) => note(`evaluating at step ${step}`),
      evaluation: ({ step, metrics }, best) => {
        const name = config.evaluation.best;
        const value = metrics[name];
        if (value !== undefined)
          note(`step ${step}: ${name} ${value.toFixed(4)}${best ? ', the best so far' : ''}`);
      },
    });
    progress?.stop();
    const model = join(out, 'model', 'weights.safetensors');
    if (result.finished) process.stderr.write(`done: ${model}, ${join(out, 'report.html')}\n`);
    else process.stderr.write(`stopped at step ${result.step}; --resume continues\n`);
    return 0;
  } finally {
    signal.removeEventListener('abort', stopping);
    progress?.stop();
  }
}

async function readConfig(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new NlrcnnError(
      'ERR_NLRCNN_IO',
      `Expected a training config but ${file} cannot be read (${code})`,
      {
        cause,
      },
    );
  }
  const value = parseJson(text, file);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new NlrcnnError('ERR_NLRCNN_CONFIG', `${file}: expected an object`);
}
