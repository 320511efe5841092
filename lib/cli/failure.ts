import { isNlrcnnError } from '../errors.js';

/** `ERR_NLRCNN_IO: Expected …` of what may happen; the stack of what may not. */
export function failureText(error: Error): string {
  if (isNlrcnnError(error)) return `${error.code}: ${error.message}`;
  const { syscall, message, stack } = error as NodeJS.ErrnoException;
  return syscall === undefined ? String(stack) : `ERR_NLRCNN_IO: ${message}`;
}
