import { spawn } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

export interface Finished {
  /** The exit code, or the signal that ended it. */
  code: number | string | null;
  stdout: string;
  stderr: string;
}

/** Runs node in the package's folder and waits for its end. */
export function runNode(args: readonly string[], interruptAfter?: RegExp): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Buffer) => {
        output[name] += chunk.toString();
        if (interruptAfter?.test(output[name])) child.kill('SIGINT');
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code: code ?? signal, ...output }));
  });
}

/** Runs a script that sees the package as `nlrcnn`. */
export const runScript = (script: string): Promise<Finished> =>
  runNode(['-e', `const nlrcnn = require('./dist/index.js');\n${script}`]);

/** Runs the command line. */
export const runCli = (...args: string[]): Promise<Finished> => runNode(['dist/cli/main.js', ...args]);
