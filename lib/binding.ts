import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Binding } from '../binding.js';
import { NlrcnnError } from './errors.js';

export type * from '../binding.js';

const root = join(__dirname, '..');

/** The addon's file: `NLRCNN_BINARY` where set, else the build in this package. */
export function bindingPath(): string {
  return process.env.NLRCNN_BINARY ?? join(root, 'build', 'Release', 'nlrcnn.node');
}

let loaded: Binding | undefined;

/**
 * The native addon, loaded at the first call.
 * @throws NlrcnnError ERR_NLRCNN_DEVICE when it is not built or a library that it needs is missing.
 */
export function binding(): Binding {
  if (loaded) return loaded;
  const file = bindingPath();
  if (!existsSync(file)) {
    throw new NlrcnnError(
      'ERR_NLRCNN_DEVICE',
      'The native addon is not built: run "npm run setup" in the package.',
    );
  }
  try {
    const addon = require(file) as Binding;
    addon.useErrorClass(NlrcnnError);
    // Of process.exit() and uncaught errors; where Node takes a worker down instead, the addon is told natively.
    process.prependOnceListener('exit', () => addon.close());
    loaded = addon;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw new NlrcnnError(
      'ERR_NLRCNN_DEVICE',
      `The native addon did not load (${reason}): run "npm run setup" to install what it needs, then "nlrcnn doctor".`,
      { cause },
    );
  }
  return loaded;
}
