/** A worker thread of a DataLoader: jobs in, outcomes out, in any order. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSampleJob, type SampleJob, type SampleOutcome, type SampleSettings } from './sample-job.js';

/** From the worker: what came of a job, or a warning for the main thread to give. */
export type FromWorker =
  | { id: number; outcome: SampleOutcome }
  | { warning: { code: string; message: string } };

/** To the worker; null: finish what was begun and end. */
export type ToWorker = { id: number; job: SampleJob } | null;

const port = parentPort!;
const settings = workerData as SampleSettings;

// Each thread has a process object of its own: what all threads say is said once on the main one.
process.removeAllListeners('warning');
process.on('warning', (warning: Error & { code?: string }) => {
  const { name, message, code = name } = warning;
  port.postMessage({ warning: { code, message } } satisfies FromWorker);
});

port.on('message', async (message: ToWorker) => {
  if (message === null) {
    port.close();
    return;
  }
  const outcome = await runSampleJob(message.job, settings);
  const arrays = 'sample' in outcome ? [outcome.sample.pixels, outcome.sample.masks] : [];
  port.postMessage(
    { id: message.id, outcome } satisfies FromWorker,
    arrays.map(({ buffer }) => buffer as ArrayBuffer),
  );
});
