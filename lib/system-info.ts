import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import sharp from 'sharp';
import { type Binding, binding, bindingPath, type CpuInfo } from './binding.js';
import { version } from './version.js';

export interface SystemInfo {
  version: string;
  node: string;
  platform: string;
  cpu: { model: string; cores: number; features: string[] };
  /** The addon and what it found; `problem` says why it did not load. */
  addon: {
    path: string;
    origin: 'local build' | 'NLRCNN_BINARY' | 'missing';
    problem?: string;
    cpu?: CpuInfo;
  };
  gpu: { driver: string | null; devices: { name: string; computeCapability: string }[] };
  cuda: {
    /** Architectures that this build has kernels for. */
    compiled: string[];
    libraries: Record<string, string | null>;
    /** What is missing for CUDA, in words. */
    verdict: string;
  };
  images: { sharp: string; libvips: string };
}

const FEATURES = ['avx2', 'fma', 'avx512f', 'avx512bw', 'avx512_vnni', 'avx512_bf16', 'amx_bf16'];
const CUDA_LIBRARIES = ['libcuda.so', 'libcudart.so', 'libcublas.so', 'libcublasLt.so', 'libcudnn.so'];

/** What this machine and this build offer. */
export function systemInfo(): SystemInfo {
  return {
    version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpuModel(),
    addon: addonInfo(),
    ...gpuInfo(),
    images: { sharp: sharp.versions.sharp ?? '', libvips: sharp.versions.vips },
  };
}

function cpuModel(): SystemInfo['cpu'] {
  const flags =
    readOr('/proc/cpuinfo', '')
      .match(/^flags\s*:(.*)$/m)?.[1]
      ?.split(/\s+/) ?? [];
  return {
    model: cpus()[0]?.model.trim() ?? '',
    cores: cpus().length,
    features: FEATURES.filter((f) => flags.includes(f)),
  };
}

function addonInfo(): SystemInfo['addon'] {
  const path = bindingPath();
  if (!existsSync(path)) return { path, origin: 'missing', problem: 'not built: run "npm run setup"' };
  const origin = process.env.NLRCNN_BINARY ? 'NLRCNN_BINARY' : 'local build';
  let loaded: Binding;
  try {
    loaded = binding();
  } catch (error) {
    return { path, origin, problem: (error as Error).message };
  }
  return { path, origin, cpu: loaded.cpuInfo() };
}

function gpuInfo(): Pick<SystemInfo, 'gpu' | 'cuda'> {
  const driver = readOr('/proc/driver/nvidia/version', '').match(/Module\s+([\d.]+)/)?.[1] ?? null;
  const query = ['--query-gpu=name,compute_cap', '--format=csv,noheader'];
  const devices = runOr('nvidia-smi', query, '')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', computeCapability = ''] = line.split(',').map((part) => part.trim());
      return { name, computeCapability };
    });
  const known = runOr('ldconfig', ['-p'], runOr('/sbin/ldconfig', ['-p'], ''));
  const libraries = Object.fromEntries(
    CUDA_LIBRARIES.map((name) => {
      const escaped = name.replaceAll('.', '\\.');
      return [name, known.match(new RegExp(`${escaped}\\S*.*=> (\\S+)`))?.[1] ?? null];
    }),
  );
  const reasons = [
    'this build has no CUDA kernels',
    ...(driver || libraries['libcuda.so'] ? [] : ['no NVIDIA driver']),
    ...(devices.length > 0 ? [] : ['no GPU']),
  ];
  return {
    gpu: { driver, devices },
    cuda: { compiled: [], libraries, verdict: `CUDA is not used: ${reasons.join(', ')}` },
  };
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return fallback;
  }
}

function runOr(command: string, args: string[], fallback: string): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    });
  } catch {
    return fallback;
  }
}
