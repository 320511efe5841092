import test from 'ava';
import { trainingReport } from '../../dist/runs/report.js';
import type { StepRecord } from '../../dist/train/trainer.js';
import { toyConfig } from '../helpers/toy-run.js';

const step = (n: number): StepRecord => ({
  step: n,
  lr: 0.01 / n,
  loss: 3 / n,
  losses: { loss_classifier: 2 / n, loss_mask: 1 / n },
  gradient_norm: 1,
  images: 2,
  seconds: 0.5,
});
const steps = Array.from({ length: 1000 }, (_, i) => step(i + 1));
const evaluations = [
  { step: 500, metrics: { segm_AP: 0.41, segm_APs: 0.2, 'stardist_0.50': 0.7 }, seconds: 3 },
  { step: 1000, metrics: { segm_AP: 0.4, segm_APs: Number.NaN, 'stardist_0.50': 0.71 }, seconds: 3 },
];
const config = toyConfig({
  model: { class_names: ['background', '<b>"cell"</b>'], num_classes: 2, non_local_roi: { heads: ['box'] } },
});
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);
const html = trainingReport({
  config,
  steps,
  evaluations,
  best: evaluations[0],
  examples: [{ name: '1-a&b.png', picture: png }],
});

test('the report has curves, key figures, examples and every setting', (t) => {
  t.is([...html.matchAll(/<figure class="chart">/g)].length, 3);
  for (const name of ['sum', 'loss_classifier', 'loss_mask', 'segm_AP', 'stardist_0.50', 'learning rate'])
    t.regex(html, new RegExp(`</svg>${name} <b>`), name);
  t.regex(html, /<b>4\.00<\/b>pictures a second/);
  t.regex(html, /<b>0\.4100<\/b>best segm_AP, step 500/);
  t.regex(html, /step 500 \(kept\).*step 1000/s);
  t.true(html.includes(`src="data:image/png;base64,${Buffer.from(png).toString('base64')}"`));
  for (const key of [
    'optimizer.lr',
    'model.non_local_roi.pairwise',
    'sampling.rpn_fg_iou_thresh',
    'data.augment.scale',
  ])
    t.true(html.includes(`<code>${key}</code>`), key);
});

test('it is one file, for light and dark, and what comes from outside is no markup', (t) => {
  t.notRegex(html, /(src|href)=(?!"data:)|<script|@import|url\(/);
  t.regex(html, /prefers-color-scheme:dark/);
  t.false(html.includes('<b>"cell"'));
  t.regex(html, /1-a&#38;b/);
  t.true(html.length < 60_000, `${html.length} bytes`);
});

test('curves are thinned but keep where they begin and end; numbers that are none leave no mark', (t) => {
  const path = html.match(/<path d="([^"]*)"/)![1]!;
  t.true(path.split('L').length <= 240);
  t.notRegex(html, /d="[^"]*NaN/);
  t.notRegex(html, /c[xy]="NaN/);
});

test('a run without steps has a report too', (t) => {
  const empty = trainingReport({ config, steps: [], evaluations: [], best: undefined, examples: [] });
  t.regex(empty, /No step yet/);
  t.notRegex(empty, /<figure/);
});
