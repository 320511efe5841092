import { CHART_STYLE, escapeHtml, lineChart } from '../draw/chart.js';
import type { StepRecord } from '../train/trainer.js';
import type { TrainingConfig } from './config.js';
import type { EvaluationRecord } from './run-folder.js';

export interface ReportContent {
  config: TrainingConfig;
  steps: readonly StepRecord[];
  evaluations: readonly EvaluationRecord[];
  best: EvaluationRecord | undefined;
  /** PNGs of ground truth and prediction side by side. */
  examples: readonly { name: string; picture: Uint8Array }[];
}

/** Of which the key figures are means. */
const RECENT = 50;
/** What is drawn of each metric, most telling first; all others are in the table. */
const DRAWN = /^(segm_AP|segm_AP50|bbox_AP|stardist_0\.(50|70|90)|cityscapes_AP(50)?)$/;

const STYLE = `:root{color-scheme:light dark;--back:#fff;--fore:#1a1d21;--muted:#5c6570;--line:#dfe3e8;--card:#f6f7f9}
@media(prefers-color-scheme:dark){:root{--back:#14171a;--fore:#e7eaee;--muted:#9aa4af;--line:#343a41;--card:#1d2125}}
*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1.5rem;font:15px/1.5 system-ui,sans-serif;background:var(--back);color:var(--fore)}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .6rem}p{margin:.3rem 0;color:var(--muted)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.8rem;margin:1rem 0;padding:0;list-style:none}
.figures li{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.6rem .8rem;color:var(--muted);font-size:.85rem}.figures b{display:block;font-size:1.3rem;color:var(--fore)}
figure{margin:0 0 1.4rem}figcaption{font-weight:600;margin-bottom:.3rem;overflow-wrap:anywhere}.example img{width:100%;height:auto;border-radius:.3rem;image-rendering:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}code{font-family:ui-monospace,monospace}${CHART_STYLE}`;

/** A page that needs nothing from elsewhere: curves, key figures, examples, all settings. */
export function trainingReport({ config, steps, evaluations, best, examples }: ReportContent): string {
  const last = steps.at(-1);
  const { model } = config;
  const block = model.non_local_roi
    ? ` with the Non-local RoI block (${model.non_local_roi.heads.join(', ')})`
    : '';
  const title = `${model.architecture === 'maskrcnn' ? 'Mask R-CNN' : 'Faster R-CNN'}, ${model.backbone}-FPN${block}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1><p>${escapeHtml(`${config.data.format} in ${config.data.dir}, seed ${config.seed}`)}</p>
${keyFigures(config, steps, best)}
${curves(config, steps, evaluations)}
${metricsTable(evaluations, best)}
${examples.length > 0 ? `<h2>Ground truth (left) and prediction (right)${evaluations.at(-1) ? `, step ${evaluations.at(-1)!.step}` : ''}</h2>` : ''}
${examples.map(figure).join('\n')}
<h2>Settings</h2>${settings(config)}
<p>${last ? `After step ${last.step} of ${config.steps}.` : 'No step yet.'}</p>
</body></html>
`;
}

function keyFigures(
  config: TrainingConfig,
  steps: readonly StepRecord[],
  best: EvaluationRecord | undefined,
): string {
  const recent = steps.slice(-RECENT);
  const sum = (value: (step: StepRecord) => number) => recent.reduce((total, step) => total + value(step), 0);
  const figures: [string, string][] = [[`of ${config.steps} steps`, String(steps.at(-1)?.step ?? 0)]];
  if (recent.length > 0) {
    figures.push([
      `loss, mean of ${recent.length} steps`,
      (sum(({ loss }) => loss) / recent.length).toFixed(4),
    ]);
    figures.push([
      'pictures a second',
      (sum(({ images }) => images) / sum(({ seconds }) => seconds)).toPrecision(3),
    ]);
    figures.push(['of stepping', hours(steps.reduce((total, { seconds }) => total + seconds, 0))]);
  }
  if (best) {
    const name = config.evaluation.best;
    figures.push([`best ${name}, step ${best.step}`, best.metrics[name]!.toFixed(4)]);
  }
  return `<ul class="figures">${figures.map(([name, value]) => `<li><b>${value}</b>${escapeHtml(name)}</li>`).join('')}</ul>`;
}

function curves(
  config: TrainingConfig,
  steps: readonly StepRecord[],
  evaluations: readonly EvaluationRecord[],
): string {
  const x = 'step';
  const series = (name: string, value: (step: StepRecord) => number | undefined) => ({
    name,
    points: steps.map((step) => [step.step, value(step) ?? Number.NaN] as const),
  });
  const parts = [...new Set(steps.flatMap(({ losses }) => Object.keys(losses)))];
  const losses = [
    series('sum', ({ loss }) => loss),
    ...parts.map((name) => series(name, (step) => step.losses[name])),
  ];
  const drawn = [...new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)))].filter((name) =>
    DRAWN.test(name),
  );
  const scores = drawn.map((name) => ({
    name,
    points: evaluations.map(({ step, metrics }) => [step, metrics[name] ?? Number.NaN] as const),
  }));
  const last = steps.at(-1)?.step;
  return [
    steps.length > 0 ? `<h2>Curves</h2>${lineChart(losses, { title: 'Losses', x, last })}` : '',
    lineChart(scores, { title: 'Average precision on the validation pictures', x, last, dots: true }),
    lineChart([series('learning rate', ({ lr }) => lr)], {
      title: `Learning rate (${config.optimizer.type}, ${config.schedule.type})`,
      x,
      last,
    }),
  ].join('\n');
}

function metricsTable(evaluations: readonly EvaluationRecord[], best: EvaluationRecord | undefined): string {
  const last = evaluations.at(-1);
  if (!last) return '';
  const columns = best && best !== last ? [best, last] : [last];
  const head = columns.map((own) => `step ${own.step}${own === best ? ' (kept)' : ''}`);
  const rows = Object.keys(last.metrics).map((name) => {
    const cells = columns.map(
      ({ metrics }) => `<td class="number">${Number(metrics[name] ?? Number.NaN).toFixed(4)}</td>`,
    );
    return `<tr><td>${escapeHtml(name)}</td>${cells.join('')}</tr>`;
  });
  return `<h2>Evaluation</h2><div class="scroll"><table><thead><tr><th>metric</th>${head.map((text) => `<th class="number">${text}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function figure({ name, picture }: ReportContent['examples'][number]): string {
  const text = escapeHtml(name.replace(/\.png$/, ''));
  return `<figure class="example"><figcaption>${text}</figcaption><img alt="${text}: ground truth and prediction" src="data:image/png;base64,${Buffer.from(picture).toString('base64')}"></figure>`;
}

function settings(config: TrainingConfig): string {
  const rows = flatten(config).map(
    ([key, value]) =>
      `<tr><td><code>${escapeHtml(key)}</code></td><td><code>${escapeHtml(value)}</code></td></tr>`,
  );
  return `<div class="scroll"><table><tbody>${rows.join('')}</tbody></table></div>`;
}

function flatten(value: object, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, own]) =>
    typeof own === 'object' && own !== null && !Array.isArray(own)
      ? flatten(own, `${prefix}${key}.`)
      : [[`${prefix}${key}`, JSON.stringify(own)] as [string, string]],
  );
}

function hours(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return `${Math.round(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
