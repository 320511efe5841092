/** Every `code` that an error of this package can carry. */
export type ErrorCode =
  | 'ERR_NLRCNN_ARGUMENT'
  | 'ERR_NLRCNN_SHAPE'
  | 'ERR_NLRCNN_DTYPE'
  | 'ERR_NLRCNN_DISPOSED'
  | 'ERR_NLRCNN_IMAGE'
  | 'ERR_NLRCNN_WEIGHTS'
  | 'ERR_NLRCNN_CONFIG'
  | 'ERR_NLRCNN_DATASET'
  | 'ERR_NLRCNN_DIVERGED'
  | 'ERR_NLRCNN_IO'
  | 'ERR_NLRCNN_DEVICE'
  | 'ERR_NLRCNN_OUT_OF_MEMORY'
  | 'ERR_NLRCNN_UNSUPPORTED'
  | 'ERR_NLRCNN_CANCELLED'
  | 'ERR_NLRCNN_INTERNAL';

/** An error of this package: `code` says which kind, `message` what was expected and what was received. */
export class NlrcnnError extends Error {
  override readonly name = 'NlrcnnError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** True for errors made by this package, also those made natively (they carry a `code` but are plain `Error`s). */
export function isNlrcnnError(error: unknown): error is Error & { code: ErrorCode } {
  return error instanceof Error && String((error as { code?: unknown }).code).startsWith('ERR_NLRCNN_');
}

/** `Expected a positive integer for maxDetections but received -1 of type number`. */
export function invalidArgument(expected: string, name: string, actual: unknown): NlrcnnError {
  return new NlrcnnError(
    'ERR_NLRCNN_ARGUMENT',
    `Expected ${expected} for ${name} but received ${describe(actual)}`,
  );
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.slice(0, 80))} of type string`;
  if (typeof value === 'object' && value !== null)
    return `an object of type ${value.constructor?.name ?? 'null-prototype'}`;
  if (typeof value === 'function') return 'a function';
  return value === undefined || value === null ? String(value) : `${String(value)} of type ${typeof value}`;
}
