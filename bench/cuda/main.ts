import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binding } from '../../dist/binding.js';
import { type DeviceOption, resolveDevice } from '../../dist/device.js';
import { benchAgreement } from './agreement.js';
import { benchKernels } from './kernels.js';
import { benchModel } from './model.js';

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    only: { type: 'string', default: 'kernels,model,agreement' },
    python: { type: 'string' },
    out: { type: 'string' },
    /** Tiny sizes, to see that everything runs. */
    quick: { type: 'boolean', default: false },
  },
});

type Peers = Record<string, Record<string, number | null>> & { errors?: Record<string, string> };

/** PyTorch's times of the same work on the same GPU: variants by benchmark. */
function peers(stage: string): Peers {
  if (!values.python) return {};
  const script = join(__dirname, '..', '..', 'bench', 'peers', 'torch_cuda.py');
  const args = [script, stage, ...(values.quick ? ['--quick'] : [])];
  const text = execFileSync(values.python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(text.trim().split('\n').at(-1)!) as Peers;
}

function printTable(
  rows: { name: string; ours?: number | undefined; peers?: Record<string, number | null> | undefined }[],
): void {
  for (const { name, ours, peers: theirs = {} } of rows) {
    const cells = Object.entries(theirs).map(([variant, time]) =>
      time === null || ours === undefined
        ? `${variant} –`
        : `${variant} ${time.toFixed(3)} (${(time / ours).toFixed(1)}×)`,
    );
    process.stdout.write(`${name.padEnd(48)}${ours?.toFixed(3) ?? 'failed'}  ${cells.join('  ')}\n`);
  }
}

async function main(): Promise<void> {
  const device = resolveDevice(values.device as DeviceOption);
  const info = binding().cudaInfo();
  const stages = values.only.split(',');
  const results: Record<string, unknown> = {};
  if (stages.includes('kernels')) {
    const ours = await benchKernels(device, values.quick);
    const theirs = peers('kernels');
    results.kernels = { ours, peers: theirs };
    process.stdout.write('\nkernels, µs (PyTorch on the same GPU: µs and how many times ours)\n');
    printTable(
      ours.map((r) => ({
        name: r.name,
        ours: 'error' in r ? undefined : r.microseconds,
        peers: theirs[r.name],
      })),
    );
  }
  if (stages.includes('model')) {
    const ours = await benchModel(device, values.quick);
    const theirs = peers('model');
    results.model = { ours, peers: theirs };
    process.stdout.write('\nwhole network, one picture, ms\n');
    printTable(
      ours.map((r) => ({
        name: r.name,
        ours: 'error' in r ? undefined : r.milliseconds,
        peers: theirs[r.name.split(' ').slice(0, 2).join(' ')],
      })),
    );
  }
  if (stages.includes('agreement')) {
    results.agreement = await benchAgreement(device, values.quick);
    process.stdout.write(`\nbox AP against fp32 detections: ${JSON.stringify(results.agreement)}\n`);
  }
  const report = {
    date: new Date().toISOString(),
    command: `npm run bench:cuda -- --only ${values.only}${values.python ? ' --python python3' : ''}${values.quick ? ' --quick' : ''}`,
    machine: {
      cpu: cpus()[0]!.model,
      cores: cpus().length,
      gpus: info.gpus,
      versions: info.versions,
      node: process.version,
    },
    results,
  };
  if (values.out) writeFileSync(values.out, `${JSON.stringify(report, null, 2)}\n`);
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
