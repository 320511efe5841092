/** Every `code` that an error of this package can carry; native/core/status.h has the same, which a test compares. */
export const ERROR_CODES = [
  'ERR_NLRCNN_ARGUMENT',
  'ERR_NLRCNN_SHAPE',
  'ERR_NLRCNN_DTYPE',
  'ERR_NLRCNN_DISPOSED',
  'ERR_NLRCNN_IMAGE',
  'ERR_NLRCNN_WEIGHTS',
  'ERR_NLRCNN_CONFIG',
  'ERR_NLRCNN_DATASET',
  'ERR_NLRCNN_DIVERGED',
  'ERR_NLRCNN_IO',
  'ERR_NLRCNN_DEVICE',
  'ERR_NLRCNN_OUT_OF_MEMORY',
  'ERR_NLRCNN_UNSUPPORTED',
  'ERR_NLRCNN_CANCELLED',
  'ERR_NLRCNN_INTERNAL',
] as const;

/** One of `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number];

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

/** True for errors of this package, also those of another copy of it or of another worker. */
export function isNlrcnnError(error: unknown): error is Error & { code: ErrorCode } {
  return error instanceof Error && ERROR_CODES.includes((error as { code?: unknown }).code as ErrorCode);
}

/** `Expected a positive integer for maxDetections but received -1 of type number`. */
export function invalidArgument(expected: string, name: string, actual: unknown): NlrcnnError {
  return new NlrcnnError(
    'ERR_NLRCNN_ARGUMENT',
    `Expected ${expected} for ${name} but received ${describe(actual)}`,
  );
}

/** A value as error messages have it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.slice(0, 80))} of type string`;
  if (typeof value === 'object' && value !== null) return `an object of type ${typeName(value)}`;
  if (typeof value === 'function') return 'a function';
  return value === undefined || value === null ? String(value) : `${String(value)} of type ${typeof value}`;
}

function typeName(value: object): string {
  try {
    return String(value.constructor?.name ?? 'null-prototype');
  } catch {
    return 'unknown'; // a getter or a proxy that throws
  }
}
