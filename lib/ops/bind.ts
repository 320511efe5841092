import type { OpContext } from '../device.js';
import { describe, isNlrcnnError, NlrcnnError } from '../errors.js';

type Op = (context: OpContext, ...args: never[]) => unknown;
type Bound<F> = F extends (context: OpContext, ...args: infer A) => infer R ? (...args: A) => R : never;

/** Ops as functions without a context: `context` takes their calls. Arguments of a wrong type are errors of this package. */
export function bindOps<T extends Record<string, Op>>(
  ops: T,
  context: OpContext,
): { [K in keyof T]: Bound<T[K]> } {
  const bound = Object.entries(ops).map(([name, op]) => [
    name,
    (...args: unknown[]) => {
      try {
        return op(context, ...(args as never[]));
      } catch (cause) {
        throw isNlrcnnError(cause) ? cause : badArguments(name, args, cause);
      }
    },
  ]);
  return Object.fromEntries(bound);
}

/** An op's wrapper only puts its arguments together: where that fails, one was not of its type. */
function badArguments(name: string, args: readonly unknown[], cause: unknown): NlrcnnError {
  const received = args.map(describe).join(', ') || 'none';
  return new NlrcnnError(
    'ERR_NLRCNN_ARGUMENT',
    `Expected the arguments of ops.${name} but received ${received} (${String((cause as Error)?.message)})`,
    { cause },
  );
}
