import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { binding } from '../../dist/binding.js';
import { type DeviceOption, resolveDevice } from '../../dist/device.js';
import { benchAgreement } from './agreement.js';
import { benchKernels, type KernelResult } from './kernels.js';
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

interface Row {
  name: string;
  ours?: number | undefined;
  /** What it reaches, against the ceilings of the same run. */
  reached?: string;
  peers?: Record<string, number | null> | undefined;
}

function printTable(rows: readonly Row[]): void {
  for (const { name, ours, reached = '', peers: theirs = {} } of rows) {
    const cells = Object.entries(theirs).map(([variant, time]) =>
      time === null || ours === undefined
        ? `${variant} –`
        : `${variant} ${time.toFixed(3)} (${(time / ours).toFixed(1)}×)`,
    );
    const own = `${ours?.toFixed(3) ?? 'failed'}${reached && `  ${reached}`}`;
    process.stdout.write(`${name.padEnd(48)}${own}  ${cells.join('  ')}\n`);
  }
}

/** GB/s and TFLOP/s of a kernel, and how many percent these are of what a copy and a large product reached. */
function reachedBy(result: KernelResult, ceilings: Record<string, number | null> | undefined): string {
  const share = (value: number, ceiling: number | null | undefined) =>
    ceiling ? ` (${((100 * value) / ceiling).toFixed(0)} %)` : '';
  const { gigabytesPerSecond: bytes, teraflops, precision } = result;
  const memory = `${bytes.toFixed(0)} GB/s${share(bytes, ceilings?.['copy GB/s'])}`;
  const arithmetic = `${teraflops.toFixed(1)} TFLOP/s${share(teraflops, ceilings?.[`gemm ${precision} TFLOP/s`])}`;
  return `${memory}, ${arithmetic}`;
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
      ours.map((r) =>
        'error' in r
          ? { name: r.name, peers: theirs[r.name] }
          : {
              name: r.name,
              ours: r.microseconds,
              reached: reachedBy(r, theirs.ceilings),
              peers: theirs[r.name],
            },
      ),
    );
  }
  if (stages.includes('model')) {
    const ours = await benchModel(device, values.quick);
    const theirs = peers('model');
    results.model = { ours, peers: theirs };
    process.stdout.write('\nwhole network, decoded picture to detections, ms\n');
    printTable(
      ours.flatMap((r): Row[] => {
        const peer = r.name.split(' ').slice(0, 2).join(' ');
        if ('error' in r) return [{ name: r.name, peers: theirs[peer] }];
        const memory = `graph ${r.deviceMilliseconds.toFixed(3)}, ${(r.memoryBytes / 2 ** 20).toFixed(0)} MiB`;
        return [
          { name: r.name, ours: r.milliseconds, reached: memory, peers: theirs[peer] },
          { name: `${r.name}, 8 pictures`, ours: r.batch8Milliseconds, peers: theirs[`${peer} batch 8`] },
        ];
      }),
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
