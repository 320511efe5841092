import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { NlrcnnError } from '../errors.js';
import { warnOnce } from '../warnings.js';
import type { FromWorker } from './loader-worker.js';
import { runSampleJob, type SampleJob, type SampleOutcome, type SampleSettings } from './sample-job.js';

/** Makes samples, elsewhere or here. */
export interface SamplePool {
  /** Rejects only where the pool itself fails or is closed. */
  run(job: SampleJob): Promise<SampleOutcome>;
  /** The process stays alive while more wait for the pool (1 each) than have ceased to (-1 each). */
  hold(change: 1 | -1): void;
  /** Resolves when no thread is left. */
  close(): Promise<void>;
}

/** So many jobs are with a worker at once: one decodes while another is warped. */
const JOBS_PER_WORKER = 2;
/** A worker that does not end by itself after this many milliseconds is terminated. */
const PATIENCE = 5000;

/** `workers` threads, or none: then the event loop does the work. */
export function samplePool(workers: number, settings: SampleSettings): SamplePool {
  return workers > 0 ? new WorkerPool(workers, settings) : new LocalPool(settings);
}

class LocalPool implements SamplePool {
  #closed = false;

  constructor(readonly settings: SampleSettings) {}

  async run(job: SampleJob): Promise<SampleOutcome> {
    if (this.#closed) throw closedError();
    const outcome = await runSampleJob(job, this.settings);
    if (this.#closed) throw closedError();
    return outcome;
  }

  hold(): void {}

  async close(): Promise<void> {
    this.#closed = true;
  }
}

interface Pending {
  job: SampleJob;
  resolve(outcome: SampleOutcome): void;
  reject(error: Error): void;
}

interface Member {
  worker: Worker;
  ended: Promise<void>;
  busy: number;
}

/** Worker threads that do not keep the process alive unless held. */
class WorkerPool implements SamplePool {
  readonly #members: Member[];
  readonly #pending = new Map<number, Pending>();
  readonly #queue: number[] = [];
  #next = 0;
  #waiting = 0;
  #failure: Error | undefined;

  constructor(count: number, settings: SampleSettings) {
    this.#members = Array.from({ length: count }, () => this.#start(settings));
  }

  run(job: SampleJob): Promise<SampleOutcome> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#pending.set(id, { job, resolve, reject });
      this.#queue.push(id);
      this.#dispatch();
    });
  }

  hold(change: 1 | -1): void {
    this.#waiting += change;
    for (const { worker } of this.#members) this.#waiting > 0 ? worker.ref() : worker.unref();
  }

  async close(): Promise<void> {
    this.#fail(closedError());
    this.hold(1);
    await Promise.all(
      this.#members.map(async ({ worker, ended }) => {
        worker.postMessage(null);
        const timer = setTimeout(() => worker.terminate(), PATIENCE);
        await ended;
        clearTimeout(timer);
      }),
    );
  }

  #start(settings: SampleSettings): Member {
    const worker = new Worker(join(__dirname, 'loader-worker.js'), { workerData: settings });
    worker.unref();
    const ended = new Promise<void>((resolve) => worker.on('exit', () => resolve()));
    const member = { worker, ended, busy: 0 };
    worker.on('message', (message: FromWorker) => {
      if ('warning' in message) return warnOnce(message.warning.code, message.warning.message);
      const { id, outcome } = message;
      member.busy--;
      this.#pending.get(id)?.resolve(outcome);
      this.#pending.delete(id);
      this.#dispatch();
    });
    worker.on('error', (cause) => this.#fail(stopped(cause.message, cause)));
    worker.on('messageerror', (cause) => this.#fail(stopped(cause.message, cause)));
    worker.on('exit', (code) => this.#fail(stopped(`exit code ${code}`)));
    return member;
  }

  /** Gives waiting jobs, oldest first, to the least busy workers. */
  #dispatch(): void {
    while (this.#queue.length > 0) {
      const member = this.#members.reduce((a, b) => (b.busy < a.busy ? b : a));
      if (member.busy >= JOBS_PER_WORKER) return;
      const id = this.#queue.shift()!;
      const { job, resolve } = this.#pending.get(id)!;
      try {
        member.worker.postMessage({ id, job });
        member.busy++;
      } catch (cause) {
        this.#pending.delete(id);
        resolve({
          error: {
            code: 'ERR_NLRCNN_DATASET',
            message: `The sample cannot be sent to a worker (${(cause as Error).message})`,
            stack: undefined,
          },
          broken: false,
        });
      }
    }
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#queue.length = 0;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

/** What those get who wait for a loader that is closed. */
export const closedError = (): NlrcnnError =>
  new NlrcnnError('ERR_NLRCNN_CANCELLED', 'Expected a loader in use but it was closed');

const stopped = (why: string, cause?: unknown) =>
  new NlrcnnError('ERR_NLRCNN_INTERNAL', `A worker thread of the loader stopped (${why})`, { cause });
