// Writes the tables of bench/results/*.json into README.md, or with --check says whether they are there as measured.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const number = (value) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const cell = (subject) => (subject ? `${number(subject.milliseconds)} ms` : '');
const bySubject = (subjects) => Object.fromEntries(subjects.map((one) => [one.subject, one]));
const gigabytes = ({ subject, peakRss }) => `${subject} ${(peakRss / 1e9).toFixed(2)} GB`;
const measuredOn = ({ date, machine, versions }) =>
  `Measured on ${date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${machine.isa}, oneDNN ${machine.onednn}, Node ${versions.node}, fp32.`;

function cpuTable(report) {
  const { versions, results } = report;
  const names = {
    network: 'Mask R-CNN ResNet-50-FPN, file to masks',
    roi_align: 'RoIAlign, 1000 RoIs, 7×7, 256 channels, 4 levels',
    non_local_roi: 'Non-local RoI block, 1000 RoIs, 256 channels, 7×7',
  };
  const rows = Object.entries(names).map(([key, name]) => {
    const by = bySubject(results[key]);
    return `| ${name} | **${cell(by['nonlocal-rcnn'])}** | ${cell(by['onnxruntime-node'])} | ${cell(by.torchvision)} |`;
  });
  const memory = results.network.map(gigabytes).join(', ');
  return `| | nonlocal-rcnn | onnxruntime-node ${versions['onnxruntime-node']} | torchvision ${versions.torchvision} (torch ${versions.torch}) |
|---|---|---|---|
${rows.join('\n')}

Peak memory of the first row: ${memory}. After 300 pictures the process holds ${(100 * results.soak.growth).toFixed(1)} % more than after 30.
${measuredOn(report)}`;
}

function trainingTable(report) {
  const { versions, results } = report;
  const names = {
    'train-r18': 'Training step, ResNet-18-FPN, 256×256',
    'train-r50': 'Training step, ResNet-50-FPN, 512×512',
    evaluate: "COCO's numbers of masks, 500 pictures of 50 detections",
  };
  const rows = Object.entries(names).map(([key, name]) => {
    const [own, peer] = results[key];
    return `| ${name} | **${cell(own)}** | ${peer.subject} ${cell(peer)} | ${peer.ratio.toFixed(2)} |`;
  });
  const memory = ['train-r18', 'train-r50'].map((key) => results[key].map(gigabytes).join(', '));
  return `| | nonlocal-rcnn | | ratio |
|---|---|---|---|
${rows.join('\n')}

Peak memory of the steps: ${memory.join('; ')}. torchvision ${versions.torchvision}, torch ${versions.torch}.
${measuredOn(report)}`;
}

function blockTable({ date, machine, versions, config, runs, with: own, without }) {
  const seeds = new Set(runs.map(({ seed }) => seed)).size;
  const columns = ['stardist_0.50', 'stardist_0.60', 'stardist_0.70', 'stardist_0.80', 'segm_AP', 'bbox_AP'];
  const score = (value) => value.toFixed(3).replace(/^0/, '');
  const row = (name, numbers) =>
    `| ${name} | ${columns.map((key) => `${score(numbers[key].mean)} ± ${score(numbers[key].sd)}`).join(' | ')} |`;
  return `| | IoU .50 | .60 | .70 | .80 | mask AP | box AP |
|---|---|---|---|---|---|---|
${row('with the block', own)}
${row('without', without)}

Means and standard deviations over ${seeds} seeds each, ${config.steps} steps of ${config.batch_size} crops of ${config.crop.join('×')} from random weights; TP / (TP + FP + FN) at IoU .50 to .80, then COCO's AP.
${date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, oneDNN ${machine.onednn}, Node ${versions.node}.`;
}

const TABLES = { cpu: cpuTable, training: trainingTable, 'nuclei-block': blockTable };

const path = join(ROOT, 'README.md');
const readme = readFileSync(path, 'utf8');
let updated = readme;
let complete = true;
for (const [name, table] of Object.entries(TABLES)) {
  const file = join('bench', 'results', `${name}.json`);
  const [begin, end] = [`<!-- from ${file} -->`, '<!-- end -->'];
  complete &&= existsSync(join(ROOT, file)) && readme.includes(begin);
  if (!complete) break;
  const text = table(JSON.parse(readFileSync(join(ROOT, file), 'utf8')));
  updated = updated.replace(new RegExp(`${begin}[\\s\\S]*?${end}`), () => `${begin}\n${text}\n${end}`);
}
if (!process.argv.includes('--check')) writeFileSync(path, updated);
else if (updated !== readme || !complete) {
  process.stderr.write(
    'README.md does not have the tables of bench/results: run node scripts/readme-table.mjs\n',
  );
  process.exitCode = 1;
}
