import { Presets, SingleBar } from 'cli-progress';
import type { StepRecord } from '../train/trainer.js';

export interface Progress {
  step(): void;
  stop(): void;
}

/** A bar on standard error for several pictures on a terminal; else nothing. */
export function startProgress(total: number): Progress {
  if (total < 2 || !process.stderr.isTTY) return { step: () => {}, stop: () => {} };
  const format = '{bar} {value}/{total} pictures, {eta_formatted} left';
  const bar = new SingleBar(
    // Ctrl-C has a meaning of its own here.
    { format, stream: process.stderr, clearOnComplete: true, gracefulExit: false },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  return { step: () => bar.increment(), stop: () => bar.stop() };
}

export interface TrainingProgress {
  step(record: StepRecord): void;
  /** A line of its own. */
  note(text: string): void;
  stop(): void;
}

/** Steps whose mean is shown. */
const RECENT = 20;
/** Seconds between lines where standard error is no terminal. */
const LINE_EVERY = 10;

/** Time left, losses and throughput on standard error: a bar on a terminal, else a line now and then. */
export function startTrainingProgress(total: number, done: number): TrainingProgress {
  const recent: StepRecord[] = [];
  const write = (text: string) => process.stderr.write(`${text}\n`);
  const add = (record: StepRecord) => {
    recent.push(record);
    if (recent.length > RECENT) recent.shift();
    return summary(recent, total);
  };
  if (!process.stderr.isTTY) {
    let last = Number.NEGATIVE_INFINITY;
    return {
      step(record) {
        const text = add(record);
        const now = performance.now();
        if (now - last < 1000 * LINE_EVERY && record.step !== total) return;
        last = now;
        write(`step ${record.step}/${total}  ${text}`);
      },
      note: write,
      stop: () => {},
    };
  }
  const bar = new SingleBar(
    {
      format: '{bar} {value}/{total}  {text}',
      stream: process.stderr,
      barsize: 12,
      clearOnComplete: true,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  let [value, text] = [done, ''];
  bar.start(total, value, { text });
  return {
    step(record) {
      [value, text] = [record.step, add(record)];
      bar.update(value, { text });
    },
    note(line) {
      // The bar keeps to the line that it began on.
      bar.stop();
      write(line);
      bar.start(total, value, { text });
    },
    stop: () => bar.stop(),
  };
}

/** `1:02:03 left  3.10 pictures/s  lr 2.0e-4  loss 1.234 (classifier 0.210, …)`. */
function summary(recent: readonly StepRecord[], total: number): string {
  const mean = (value: (record: StepRecord) => number) =>
    recent.reduce((sum, record) => sum + value(record), 0) / recent.length;
  const { step, lr, losses } = recent.at(-1)!;
  const parts = Object.keys(losses).map(
    (name) => `${name.replace(/^loss_/, '')} ${mean((record) => record.losses[name] ?? 0).toFixed(3)}`,
  );
  const seconds = mean((record) => record.seconds);
  const rate = mean((record) => record.images) / seconds;
  return `${clock((total - step) * seconds)} left  ${rate.toPrecision(3)} pictures/s  lr ${lr.toExponential(1)}  loss ${mean(({ loss }) => loss).toFixed(3)} (${parts.join(', ')})`;
}

function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
