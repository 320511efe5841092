import { type SystemInfo, systemInfo } from '../system-info.js';
import { parse, UsageError } from './args.js';
import { print } from './print.js';

const HELP = `Usage: nlrcnn doctor [--json]

Shows what this machine and this build offer: CPU instruction sets, the native addon, GPU, driver and CUDA libraries.

Options:
  --json    the same as JSON
  --help    this text

Example:
  nlrcnn doctor --json
`;

/** Exit code 1 where the addon does not load, as nothing works without it. */
export async function doctor(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    await print(HELP);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`Expected no arguments but received ${positionals.join(' ')}`);
  const info = systemInfo();
  await print(values.json ? `${JSON.stringify(info, null, 2)}\n` : describe(info));
  return info.addon.problem ? 1 : 0;
}

function describe({ version, node, platform, cpu, addon, gpu, cuda, images }: SystemInfo): string {
  const found = Object.entries(cuda.libraries).map(([name, path]) => `${name} ${path ?? 'not found'}`);
  const rows: [string, string][] = [
    ['nonlocal-rcnn', version],
    ['Node', `${node} on ${platform}`],
    ['CPU', `${cpu.model}, ${cpu.cores} cores: ${cpu.features.join(', ')}`],
    ['addon', `${addon.origin} (${addon.path})`],
    ['', addon.problem ?? ''],
    [
      'oneDNN',
      addon.cpu
        ? `${addon.cpu.onednn}, ${addon.cpu.isa}, ${addon.cpu.threads} threads, blocks of ${addon.cpu.channelBlock} channels`
        : 'unknown, as the addon did not load',
    ],
    ['pictures', `sharp ${images.sharp}, libvips ${images.libvips}`],
    [
      'GPU',
      gpu.devices
        .map(({ name, computeCapability, memory, freeMemory }) => {
          const [all, free] = [memory, freeMemory].map((bytes) => (bytes / 2 ** 30).toFixed(1));
          return `${name} (sm_${computeCapability.replace('.', '')}, ${free} of ${all} GiB free)`;
        })
        .join(', ') || 'none that CUDA shows',
    ],
    ['driver', gpu.driver ?? 'none found'],
    ['CUDA kernels', cuda.compiled.join(', ') || (cuda.plugin ? 'not loaded' : 'none in this build')],
    ['CUDA', cuda.versions],
    ...found.map((line, i): [string, string] => [i === 0 ? 'CUDA libraries' : '', line]),
    ['verdict', addon.problem ? 'nothing runs until the addon loads' : `the CPU works; ${cuda.verdict}`],
  ];
  return rows
    .filter(([, value]) => value)
    .map(([key, value]) => `${key.padEnd(16)}${value}\n`)
    .join('');
}
