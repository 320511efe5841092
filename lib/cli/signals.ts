import { constants } from 'node:os';
import { removeBegun } from '../files/temporaries.js';

const NAMES = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Signals {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** As shells have it, 128 and the signal's number: of the first signal, undefined before. */
  readonly exitCode: number | undefined;
}

/**
 * What SIGINT (Ctrl-C), SIGTERM and SIGHUP do: where the command can stop by itself the first aborts `signal` and the second
 * ends the process, else the first ends it. Nothing is left half written.
 */
export function listenForSignals(stopsItself: boolean): Signals {
  const abort = new AbortController();
  let exitCode: number | undefined;
  const handle = (name: (typeof NAMES)[number]) => {
    if (stopsItself && exitCode === undefined) {
      exitCode = 128 + constants.signals[name];
      abort.abort();
      return;
    }
    removeBegun();
    for (const other of NAMES) process.removeListener(other, handle);
    process.kill(process.pid, name);
  };
  for (const name of NAMES) process.on(name, handle);
  return {
    signal: abort.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
