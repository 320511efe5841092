#!/usr/bin/env node
import { isNlrcnnError } from '../errors.js';
import { version } from '../version.js';
import { UsageError } from './args.js';
import { attention } from './attention.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { failureText } from './failure.js';
import { initConfig } from './init-config.js';
import { ignoreErrorsOfStreams, print } from './print.js';
import { segment } from './segment.js';
import { listenForSignals } from './signals.js';
import { train } from './train.js';
import { printWarnings } from './warnings.js';

interface Command {
  summary: string;
  /** Ends by itself soon after its signal was aborted. */
  stopsItself?: true;
  /** Gives the exit code. */
  run: (args: string[], signal: AbortSignal) => Promise<number>;
}

const COMMANDS: Record<string, Command> = {
  segment: {
    summary: 'find the objects of pictures: JSON, overlays, label maps, COCO results, polygons',
    stopsItself: true,
    run: segment,
  },
  train: {
    summary: 'train a network, with checkpoints, evaluation and a report',
    stopsItself: true,
    run: train,
  },
  eval: {
    summary: 'score a COCO results file, or a network on a data set',
    stopsItself: true,
    run: evaluate,
  },
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
    await print(`${version}\n`);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    if (name !== undefined) await print(HELP);
    else process.stderr.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command)
    throw new UsageError(`Expected a command (${Object.keys(COMMANDS).join(', ')}) but received ${name}`);
  const signals = listenForSignals(command.stopsItself ?? false);
  try {
    const code = await command.run(args, signals.signal);
    return code === 0 ? 0 : (signals.exitCode ?? code);
  } catch (error) {
    // What was stopped on purpose is no failure that would need a word.
    const stopped = isNlrcnnError(error) && error.code === 'ERR_NLRCNN_CANCELLED';
    if (signals.exitCode === undefined || !stopped) throw error;
    process.stderr.write('nlrcnn: stopped\n');
    return signals.exitCode;
  }
}

printWarnings();
ignoreErrorsOfStreams();
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    const usage = error instanceof UsageError;
    process.stderr.write(`nlrcnn: ${usage ? `${error.message}; see nlrcnn --help` : failureText(error)}\n`);
    process.exitCode = usage ? 2 : 1;
  },
);
