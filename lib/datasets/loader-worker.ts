/** A worker thread of a DataLoader: jobs in, outcomes out, in any order. */
import { parentPort, workerData } from 'node:worker_threads';
import { runSampleJob, type SampleJob, type SampleSettings } from './sample-job.js';

/** To the worker; null: finish what was begun and end. */
export type ToWorker = { id: number; job: SampleJob } | null;

const port = parentPort!;
const settings = workerData as SampleSettings;

port.on('message', async (message: ToWorker) => {
  if (message === null) {
    port.close();
    return;
  }
  const outcome = await runSampleJob(message.job, settings);
  const arrays = 'sample' in outcome ? [outcome.sample.pixels, outcome.sample.masks] : [];
  port.postMessage(
    { id: message.id, outcome },
    arrays.map(({ buffer }) => buffer as ArrayBuffer),
  );
});
