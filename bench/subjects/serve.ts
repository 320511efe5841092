import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Peak resident memory of this process so far, bytes. */
export function peakRss(): number {
  return 1024 * Number(readFileSync('/proc/self/status', 'utf8').match(/VmHWM:\s+(\d+)/)![1]);
}

/**
 * A subject of a benchmark: for each line on standard input it works once and answers with one line of JSON, so that
 * subjects in processes of their own can take turns.
 */
export async function serve(work: () => Promise<Record<string, number>>): Promise<void> {
  process.stdout.write('ready\n');
  for await (const _ of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify({ ...(await work()), peakRss: peakRss() })}\n`);
  }
}
