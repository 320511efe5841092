import type { Device } from '../../dist/device.js';
import { readJson } from './model-cases.js';

/** The goldens of gradients that float32-ops.json speaks of: gradients.safetensors and training.safetensors. */
export type GradientGoldens = 'gradients' | 'training';

// By test/goldens/float32.py, whose docstring says what they are.
const OPS = readJson('goldens', 'float32-ops.json') as Record<GradientGoldens, Record<string, number>>;
const NETWORKS = readJson('goldens', 'float32-networks.json') as Record<
  string,
  Record<string, [error: number, ties: number]>
>;

/** What any gradient of an op, and of a parameter of a network, may be off in norm. */
export const OP_BASE = 1e-5;
export const PARAMETER_BASE = 1e-3;
/** And at most, though one ReLU behind ResNet-50's batch norms turns 15 % of a gradient. */
export const PARAMETER_MOST = 3e-2;

/** What float32 itself is off from the gradient `OP/CASE.INPUT`; none where that is zero by construction. */
export const ownError = (goldens: GradientGoldens, key: string): number | undefined => OPS[goldens][key];

/**
 * Allowed distance in norm of the gradient of an op: twice what float32 costs where it cancels to little. Not on the CPU:
 * the order of its sums is our own, of a GPU's products and convolutions it is the choice of a library, by card and version.
 */
export function gradientLimit(goldens: GradientGoldens, key: string, device: Device): number {
  return device === 'cpu' ? OP_BASE : Math.max(OP_BASE, 2 * (ownError(goldens, key) ?? 0));
}

/**
 * Allowed distance in norm of a parameter's gradient: twice PyTorch's own in float32, or twice what near ties may turn; on
 * the CPU these count only for a network of which PyTorch's own sums on a CPU turn some.
 */
export function parameterLimit(network: string, parameter: string, device: Device): number {
  const all = NETWORKS[network] ?? {};
  const own = all[parameter];
  if (!own)
    throw new Error(`Expected an error of ${parameter} of ${network} but float32-networks.json has none`);
  const [error, ties] = own;
  const turns = device !== 'cpu' || Object.values(all).some(([theirs]) => 2 * theirs > PARAMETER_BASE);
  const cost = turns ? Math.max(error, ties) : error;
  return Math.min(PARAMETER_MOST, Math.max(PARAMETER_BASE, 2 * cost));
}
