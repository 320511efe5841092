/** One line of a chart. */
export interface Series {
  name: string;
  /** Rising x. */
  points: readonly (readonly [x: number, y: number])[];
}

export interface ChartOptions {
  title: string;
  /** What x counts. */
  x: string;
  /** Greatest x; default: that of the data. */
  last?: number | undefined;
  /** Mark every point, with its value as tooltip. */
  dots?: boolean;
}

const WIDTH = 720;
const HEIGHT = 300;
const MARGIN = { left: 64, right: 16, top: 16, bottom: 40 };
/** Bins along x; a bin's line goes through its mean. */
const BINS = 240;
/** Colours of the style sheet, --c0 and on. */
const COLORS = 7;
const DASHES = ['', '6 3', '2 3'];

/** An SVG with a legend, to stand in a page that has `CHART_STYLE`; y begins at 0. */
export function lineChart(series: readonly Series[], { title, x, last, dots = false }: ChartOptions): string {
  const lines = series.map(({ name, points }) => ({
    name,
    points: binned(points.filter(([, y]) => Number.isFinite(y))),
  }));
  const all = lines.flatMap(({ points }) => points);
  if (all.length === 0) return '';
  const right = last ?? Math.max(...all.map(([at]) => at));
  const left = Math.min(0, right);
  const greatest = Math.max(...all.map(([, y]) => y));
  // A few outliers at the beginning do not flatten the rest.
  const robust = 1.25 * Math.max(...lines.map(({ points }) => quantile(points.map(([, y]) => y))));
  const ticks = niceTicks(Math.min(greatest, robust) || 1);
  const top = ticks.at(-1)!;
  const px = (at: number) =>
    MARGIN.left + ((at - left) / (right - left || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number) =>
    HEIGHT - MARGIN.bottom - (Math.min(y, top) / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const grid = ticks.map((tick) => {
    const y = py(tick).toFixed(1);
    return `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y}" y2="${y}"/><text x="${MARGIN.left - 8}" y="${y}" dy="0.35em" text-anchor="end">${short(tick)}</text>`;
  });
  const axis = niceTicks(right)
    .filter((tick) => tick <= right)
    .map(
      (tick) =>
        `<text x="${px(tick).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${short(tick)}</text>`,
    );
  const paths = lines.map(({ name, points }, i) => {
    const d = points
      .map(([at, y], k) => `${k === 0 ? 'M' : 'L'}${px(at).toFixed(1)} ${py(y).toFixed(1)}`)
      .join('');
    const style = `stroke="var(--c${i % COLORS})" stroke-dasharray="${DASHES[Math.floor(i / COLORS) % DASHES.length]}"`;
    const marks = dots
      ? points.map(
          ([at, y]) =>
            `<circle cx="${px(at).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3.5" fill="var(--c${i % COLORS})"><title>${escapeHtml(name)}, ${x} ${at}: ${y.toFixed(4)}</title></circle>`,
        )
      : [];
    return `<path d="${d}" fill="none" ${style}/>${marks.join('')}`;
  });
  const legend = lines.map(({ name, points }, i) => {
    const value = points.at(-1)?.[1];
    return `<li><svg width="22" height="8" aria-hidden="true"><line x1="0" x2="22" y1="4" y2="4" stroke="var(--c${i % COLORS})" stroke-width="3" stroke-dasharray="${DASHES[Math.floor(i / COLORS) % DASHES.length]}"/></svg>${escapeHtml(name)}${value === undefined ? '' : ` <b>${short(value)}</b>`}</li>`;
  });
  return `<figure class="chart"><figcaption>${escapeHtml(title)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${grid.join('')}${axis.join('')}<text x="${WIDTH - MARGIN.right}" y="${HEIGHT - 4}" text-anchor="end">${escapeHtml(x)}</text>${paths.join('')}</svg>
<ul class="legend">${legend.join('')}</ul></figure>`;
}

export const CHART_STYLE = `:root{--c0:#1f6fd6;--c1:#d1410c;--c2:#15803d;--c3:#9333ea;--c4:#a98600;--c5:#0e7490;--c6:#be185d}
@media(prefers-color-scheme:dark){:root{--c0:#6aa9ff;--c1:#fb8c5a;--c2:#5dd48a;--c3:#c99bff;--c4:#f0b849;--c5:#58cbe0;--c6:#ff85b8}}
.chart svg{display:block;width:100%;height:auto}.chart text{font:12px system-ui,sans-serif;fill:var(--muted)}.chart path{stroke-width:2;stroke-linejoin:round}
.chart .grid{stroke:var(--line);stroke-width:1}.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:.4rem 0 0;padding:0;list-style:none;font-size:.85rem}.legend svg{display:inline-block;width:22px;margin-right:.4rem;vertical-align:middle}`;

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The height below which 98 % of the values are. */
function quantile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 0;
}

/** At most BINS points, each the mean of its neighbours. */
function binned(points: Series['points']): Series['points'] {
  if (points.length <= BINS) return points;
  return Array.from({ length: BINS }, (_, bin) => {
    const part = points.slice(
      Math.floor((bin * points.length) / BINS),
      Math.floor(((bin + 1) * points.length) / BINS),
    );
    const mean = (axis: 0 | 1) => part.reduce((sum, point) => sum + point[axis], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
}

/** 0 and up in steps of 1, 2 or 5 times a power of ten, the last at or above `most`. */
function niceTicks(most: number): number[] {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => i * step);
}

function short(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}
