/**
 * Benchmarks beside the peers, taking turns in one run; writes a result file.
 *
 *   npm run bench -- [--python PYTHON] [--onnx FILE] [--baseline DIR] [--rounds N] [--out FILE] [NAME…]
 *
 * PYTHON has torch and torchvision; FILE is the network of bench/peers/export_onnx.py; DIR is another checkout of this package, built.
 * Without them only this package is timed.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { soak } from './soak.js';
import { Subject } from './subject.js';
import { writeCocoCase } from './subjects/coco-case.js';

const WARM_UP = 3;

const { values, positionals } = parseArgs({
  options: {
    python: { type: 'string' },
    onnx: { type: 'string' },
    baseline: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    out: { type: 'string' },
  },
  allowPositionals: true,
});

type Start = () => Promise<Subject>;

/** This package, and the checkout that it is compared with. */
const own = (name: string, argument?: () => string): Start[] =>
  [__dirname, ...(values.baseline ? [join(values.baseline, 'dist-bench')] : [])].map((folder, i) => () => {
    const file = join(folder, 'subjects', `${name}.js`);
    return Subject.start(i === 0 ? 'nonlocal-rcnn' : 'baseline', process.execPath, [
      file,
      ...(argument ? [argument()] : []),
    ]);
  });
const torch = (name: string, script = 'torch_subject') => [
  join(__dirname, '..', 'bench', 'peers', `${script}.py`),
  name,
];
let folder: string | undefined;
const cocoCase = () => {
  folder ??= writeCocoCase();
  return folder;
};

/** Who takes part in a benchmark, this package first. */
const BENCHMARKS: Record<string, Start[]> = {
  network: [
    ...own('network'),
    ...(values.onnx
      ? [
          () =>
            Subject.start('onnxruntime-node', process.execPath, [
              join(__dirname, 'subjects', 'network-onnxruntime.js'),
              values.onnx!,
            ]),
        ]
      : []),
    ...(values.python ? [() => Subject.start('torchvision', values.python!, torch('network'))] : []),
  ],
  ...Object.fromEntries(
    ['r18', 'r50', 'r18-nl'].map((name) => [
      `train-${name}`,
      [
        ...own('train', () => name),
        ...(values.python
          ? [() => Subject.start('torchvision', values.python!, torch(name, 'torch_train'))]
          : []),
      ],
    ]),
  ),
  evaluate: [
    ...own('evaluate', cocoCase),
    ...(values.python
      ? [() => Subject.start('pycocotools', values.python!, torch(cocoCase(), 'pycocotools_evaluate'))]
      : []),
  ],
  ...Object.fromEntries(
    ['roi_align', 'non_local_roi'].map((name) => [
      name,
      [
        ...own('op', () => name),
        ...(values.python ? [() => Subject.start('torchvision', values.python!, torch(name))] : []),
      ],
    ]),
  ),
};

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
const round = (value: number) => Number(value.toPrecision(4));

async function compare(name: string) {
  const subjects = await Promise.all(BENCHMARKS[name]!.map((start) => start()));
  const measured = subjects.map((): Record<string, number>[] => []);
  for (let i = -WARM_UP; i < Number(values.rounds); i++) {
    for (const [s, subject] of subjects.entries()) {
      const result = await subject.work();
      if (i >= 0) measured[s]!.push(result);
    }
  }
  for (const subject of subjects) subject.stop();
  const times = measured.map((runs) => runs.map(({ milliseconds }) => milliseconds!));
  return subjects.map((subject, s) => {
    const runs = measured[s]!;
    const most = (key: string) =>
      runs[0]![key] === undefined ? {} : { [key]: round(Math.max(...runs.map((run) => run[key]!))) };
    return {
      subject: subject.name,
      milliseconds: round(median(times[s]!)),
      fastest: round(Math.min(...times[s]!)),
      slowest: round(Math.max(...times[s]!)),
      // Of this package's time to the peer's, round by round.
      ...(s > 0 && { ratio: round(median(times[0]!.map((ours, i) => ours / times[s]![i]!))) }),
      ...most('peakRss'),
      ...most('eventLoopGap'),
      ...most('detections'),
      ...most('ap'),
    };
  });
}

function versions(): Record<string, string> {
  const script = 'import torch, torchvision; print(torch.__version__, torchvision.__version__)';
  const [torchVersion, torchvision] = values.python
    ? execFileSync(values.python, ['-c', script], { encoding: 'utf8' }).trim().split(' ')
    : [];
  return {
    node: process.version,
    ...(values.onnx && { 'onnxruntime-node': require('onnxruntime-node/package.json').version as string }),
    ...(torchVersion && torchvision && { torch: torchVersion, torchvision }),
  };
}

async function main(): Promise<void> {
  const { cpuInfo } = require('../dist/binding.js').binding() as { cpuInfo: () => object };
  const results: Record<string, unknown> = {};
  const names = positionals.length > 0 ? positionals : [...Object.keys(BENCHMARKS), 'soak'];
  for (const name of names) {
    results[name] = name === 'soak' ? await soak() : await compare(name);
    process.stderr.write(`${name} ${JSON.stringify(results[name], null, 1)}\n`);
  }
  const report = {
    date: new Date().toISOString(),
    command: [
      `npm run bench -- --rounds ${values.rounds}`,
      ...(values.python ? ['--python python'] : []),
      ...(values.onnx ? ['--onnx maskrcnn_resnet50_fpn.onnx'] : []),
      ...(values.baseline ? ['--baseline CHECKOUT'] : []),
      ...positionals,
    ].join(' '),
    machine: {
      cpu: cpus()[0]!.model,
      cores: cpus().length,
      memory: totalmem(),
      kernel: release(),
      ...cpuInfo(),
    },
    versions: versions(),
    results,
  };
  if (values.out) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
}

main();
