// Writes the table of bench/results/cpu.json into README.md, or with --check says whether it is there as measured.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const BEGIN = '<!-- from bench/results/cpu.json -->';
const END = '<!-- end -->';
const NAMES = {
  network: 'Mask R-CNN ResNet-50-FPN, file to masks',
  roi_align: 'RoIAlign, 1000 RoIs, 7×7, 256 channels, 4 levels',
  non_local_roi: 'Non-local RoI block, 1000 RoIs, 256 channels, 7×7',
};

const { date, machine, versions, results } = JSON.parse(
  readFileSync(join(ROOT, 'bench', 'results', 'cpu.json'), 'utf8'),
);
const number = (value) => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const cell = (subject) => (subject ? `${number(subject.milliseconds)} ms` : '');
const rows = Object.entries(NAMES).map(([key, name]) => {
  const by = Object.fromEntries(results[key].map((subject) => [subject.subject, subject]));
  return `| ${name} | **${cell(by['nonlocal-rcnn'])}** | ${cell(by['onnxruntime-node'])} | ${cell(by.torchvision)} |`;
});
const memory = results.network
  .map(({ subject, peakRss }) => `${subject} ${(peakRss / 1e9).toFixed(2)} GB`)
  .join(', ');
const { soak } = results;
const table = `${BEGIN}
| | nonlocal-rcnn | onnxruntime-node ${versions['onnxruntime-node']} | torchvision ${versions.torchvision} (torch ${versions.torch}) |
|---|---|---|---|
${rows.join('\n')}

Peak memory of the first row: ${memory}. After 300 pictures the process holds ${(100 * soak.growth).toFixed(1)} % more than after 30.
Measured on ${date.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${machine.isa}, oneDNN ${machine.onednn}, Node ${versions.node}, fp32.
${END}`;

const path = join(ROOT, 'README.md');
const readme = readFileSync(path, 'utf8');
const updated = readme.replace(new RegExp(`${BEGIN}[\\s\\S]*?${END}`), table);
if (!process.argv.includes('--check')) writeFileSync(path, updated);
else if (updated !== readme || !readme.includes(BEGIN)) {
  process.stderr.write(
    'README.md does not have the table of bench/results/cpu.json: run node scripts/readme-table.mjs\n',
  );
  process.exitCode = 1;
}
