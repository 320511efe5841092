import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import sharp from 'sharp';
import { type Binding, binding, bindingPath, type CpuInfo, type Gpu } from './binding.js';
import { judgeCuda, listArchitectures } from './cuda.js';
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
  gpu: { driver: string | null; devices: Gpu[] };
  cuda: {
    /** Path of the plugin with the kernels, "" where this build has none. */
    plugin: string;
    /** Architectures that it has kernels for, as "sm_90" or "PTX for sm_90". */
    compiled: string[];
    /** Path of each library that it needs, null for a missing one. */
    libraries: Record<string, string | null>;
    versions: string;
    /** Numbers of the GPUs that can be used. */
    usable: number[];
    /** What `--device auto` takes, and why not CUDA where it does not. */
    verdict: string;
  };
  images: { sharp: string; libvips: string };
}

const FEATURES = ['avx2', 'fma', 'avx512f', 'avx512bw', 'avx512_vnni', 'avx512_bf16', 'amx_bf16'];

/** What this machine and this build offer. */
export function systemInfo(): SystemInfo {
  const addon = addonInfo();
  return {
    version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpuModel(),
    addon,
    ...gpuInfo(!addon.problem),
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

function gpuInfo(addonLoads: boolean): Pick<SystemInfo, 'gpu' | 'cuda'> {
  const driver = readOr('/proc/driver/nvidia/version', '').match(/Module\s+([\d.]+)/)?.[1] ?? null;
  if (!addonLoads) {
    const cuda = { plugin: '', compiled: [], libraries: {}, versions: '', usable: [] };
    return { gpu: { driver, devices: [] }, cuda: { ...cuda, verdict: 'unknown, as the addon did not load' } };
  }
  const info = binding().cudaInfo();
  const { gpus: usable, reason } = judgeCuda(info);
  const libraries = Object.entries(info.libraries).map(([name, path]) => [name, path || null]);
  return {
    gpu: { driver, devices: info.gpus },
    cuda: {
      plugin: info.plugin,
      compiled: listArchitectures(info.architectures),
      libraries: Object.fromEntries(libraries),
      versions: info.versions,
      usable,
      verdict: reason ? `CUDA is not used: ${reason}` : `CUDA is used: cuda:${usable[0]}`,
    },
  };
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return fallback;
  }
}
