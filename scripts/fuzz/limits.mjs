/** What one input may cost; docs/fuzzing.md says the same. */

/** Seconds of processor time of one input. */
export const MOST_SECONDS = 1;
/** Seconds of wall time: an input that waits for something that does not come uses no processor. */
export const MOST_WAIT = 20;
/** Bytes by which an input may raise the process's peak of resident memory. */
export const MOST_GROWTH = 256 * 2 ** 20;
/** KiB of private memory that the process may ask for in all (ulimit -d), used or not. */
export const MOST_DATA = 4 * 2 ** 20;
/** MiB of V8's heap. */
export const MOST_HEAP = 512;
/** Bytes of an input. */
export const MOST_INPUT = 2 ** 20;
/** Pixels of an image, as NLRCNN_MAX_PIXELS. */
export const MOST_PIXELS = 2 ** 21;
