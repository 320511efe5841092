#!/usr/bin/env node
import { isNlrcnnError } from '../errors.js';
import { version } from '../version.js';
import { UsageError } from './args.js';
import { attention } from './attention.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { initConfig } from './init-config.js';
import { segment } from './segment.js';
import { train } from './train.js';
import { printWarnings } from './warnings.js';

interface Command {
  summary: string;
  /** Gives the exit code. */
  run: (args: string[], signal: AbortSignal) => Promise<number>;
}

const COMMANDS: Record<string, Command> = {
  segment: {
    summary: 'find the objects of pictures: JSON, overlays, label maps, COCO results, polygons',
    run: segment,
  },
  train: { summary: 'train a network, with checkpoints, evaluation and a report', run: train },
  eval: { summary: 'score a COCO results file, or a network on a data set', run: evaluate },
  'init-config': { summary: 'print a complete training config, made for a data set', run: initConfig },
  attention: { summary: 'draw which other objects one attends to', run: attention },
  doctor: { summary: 'what this machine and this build offer', run: doctor },
};

const HELP = `nlrcnn ${version}: instance segmentation with Mask R-CNN and the Non-local RoI block

Usage: nlrcnn COMMAND [options]

Commands:
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(13)}${summary}`)
  .join('\n')}

Options:
  --help      this text, or that of a command: nlrcnn segment --help
  --version   the version

Example:
  nlrcnn segment photo.jpg --score 0.5 --out results
`;

async function main([name, ...args]: string[]): Promise<number> {
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? process.stderr : process.stdout).write(HELP);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command)
    throw new UsageError(`Expected a command (${Object.keys(COMMANDS).join(', ')}) but received ${name}`);
  const abort = new AbortController();
  // A second one ends the process at once.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort());
  return command.run(args, abort.signal);
}

printWarnings();
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    const usage = error instanceof UsageError;
    const known = usage || isNlrcnnError(error);
    process.stderr.write(
      `nlrcnn: ${known ? error.message : error.stack}${usage ? '; see nlrcnn --help' : ''}\n`,
    );
    process.exitCode = usage ? 2 : 1;
  },
);
