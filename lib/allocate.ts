import { NlrcnnError } from './errors.js';

/** @throws NlrcnnError ERR_NLRCNN_OUT_OF_MEMORY where there is no memory for so many values of `what`. */
export function allocate<T>(kind: new (length: number) => T, length: number, what: string): T {
  try {
    return new kind(length);
  } catch (cause) {
    throw new NlrcnnError('ERR_NLRCNN_OUT_OF_MEMORY', `Expected memory for ${length} values of ${what}`, {
      cause,
    });
  }
}
