import { NlrcnnError } from './errors.js';

/** ERR_NLRCNN_CANCELLED with the signal's reason as its cause. */
export function cancelled(signal: AbortSignal): NlrcnnError {
  return new NlrcnnError('ERR_NLRCNN_CANCELLED', 'The work was cancelled', { cause: signal.reason });
}

/** What `work` gives, or ERR_NLRCNN_CANCELLED as soon as `signal` is aborted; what `work` gives later is dropped. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let stop!: () => void;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled(signal));
  });
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    return await Promise.race([stopped, work]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
