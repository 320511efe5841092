import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { cannotWrite } from '../files/write-whole.js';

const STDOUT = 1;

/**
 * Writes data to standard output, all of it: Node's own stream says nothing where a file takes only a part. A reader that has
 * gone (`nlrcnn … | head`) is no error.
 * @throws NlrcnnError ERR_NLRCNN_IO for example on a full disk.
 */
export async function print(text: string): Promise<void> {
  try {
    if (isStream()) await writeToStream(text);
    else writeToFile(Buffer.from(text));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EPIPE') throw cannotWrite('standard output', cause);
  }
}

/** Notes and progress are not worth an end: a reader of standard error may go, or its disk be full. */
export function ignoreErrorsOfStreams(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}

function isStream(): boolean {
  const stats = fstatSync(STDOUT);
  return stats.isFIFO() || stats.isSocket() || isatty(STDOUT);
}

function writeToStream(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

function writeToFile(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(STDOUT, bytes, done);
}
