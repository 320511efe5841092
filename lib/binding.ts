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
    closeAtExit(addon);
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

/**
 * Ends the device's work before the process's static objects go, oneDNN's among them. process.exit() and uncaught errors emit
 * `exit`; what calls process.reallyExit() itself, as packages that watch exits do, does not. Where Node takes a worker down
 * instead, the addon is told natively.
 */
function closeAtExit(addon: Binding): void {
  process.prependOnceListener('exit', () => addon.close());
  const owner = process as unknown as { reallyExit: (code?: number) => never };
  const { reallyExit } = owner;
  owner.reallyExit = (code) => {
    addon.close();
    return reallyExit.call(process, code);
  };
}
