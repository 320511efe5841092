import { binding, type CudaInfo } from './binding.js';

/** Whether CUDA can be used, and on which GPUs; `reason` says in a few words why not. */
export interface CudaVerdict {
  gpus: number[];
  reason: string;
}

/** What a binary for architectures as "80 90 90a 90-ptx" can run on: code of a GPU's own generation, or PTX not newer. */
export function architectureFits(architectures: string, computeCapability: string): boolean {
  const [major = 0, minor = 0] = computeCapability.split('.').map(Number);
  return architectures.split(' ').some((entry) => {
    const [, digits, kind] = entry.match(/^(\d+)(a|-ptx)?$/) ?? [];
    if (!digits) return false;
    const [ownMajor, ownMinor] = [Math.floor(Number(digits) / 10), Number(digits) % 10];
    if (kind === 'a') return ownMajor === major && ownMinor === minor;
    if (kind === '-ptx') return Number(digits) <= 10 * major + minor;
    return ownMajor === major && ownMinor <= minor;
  });
}

/** The decision that `--device auto` and `doctor` share. */
export function judgeCuda({
  problem,
  architectures,
  gpus,
}: Pick<CudaInfo, 'problem' | 'architectures' | 'gpus'>): CudaVerdict {
  if (problem) return { gpus: [], reason: problem };
  if (gpus.length === 0) return { gpus: [], reason: 'the driver shows no GPU' };
  const fitting = gpus.flatMap(({ computeCapability }, i) =>
    architectureFits(architectures, computeCapability) ? [i] : [],
  );
  if (fitting.length > 0) return { gpus: fitting, reason: '' };
  const own = [...new Set(gpus.map((gpu) => `sm_${gpu.computeCapability.replace('.', '')}`))].join(', ');
  const built = listArchitectures(architectures).join(', ') || 'no kernels';
  return { gpus: [], reason: `this GPU is ${own}, this build has ${built}` };
}

/** "80 90-ptx" as "sm_80" and "PTX for sm_90". */
export function listArchitectures(architectures: string): string[] {
  return architectures
    .split(' ')
    .filter(Boolean)
    .map((entry) => (entry.endsWith('-ptx') ? `PTX for sm_${entry.slice(0, -4)}` : `sm_${entry}`));
}

let verdict: CudaVerdict | undefined;

/** Looked up once per process: it loads the driver. */
export function cudaVerdict(): CudaVerdict {
  verdict ??= judgeCuda(binding().cudaInfo());
  return verdict;
}
