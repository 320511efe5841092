import type { Device } from '../../dist/device.js';
import { EMULATED } from './device.js';
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

/** Whether the order of sums is our own. On a GPU it is the choice of a library, by card and version. */
const ownOrder = (device: Device, emulated: boolean): boolean => device === 'cpu' || emulated;

/** Allowed distance in norm of the gradient of an op: twice what float32 costs where it cancels to little; see `ownOrder`. */
export function gradientLimit(
  goldens: GradientGoldens,
  key: string,
  device: Device,
  emulated = EMULATED,
): number {
  return ownOrder(device, emulated) ? OP_BASE : Math.max(OP_BASE, 2 * (ownError(goldens, key) ?? 0));
}

/**
 * Allowed distance in norm of a parameter's gradient: twice PyTorch's own in float32, or twice what near ties may turn. Where
 * the order of sums is our own the base holds, but for a network whose ties may turn most of its gradients: with another
 * instruction set oneDNN sums in another order.
 */
export function parameterLimit(
  network: string,
  parameter: string,
  device: Device,
  emulated = EMULATED,
): number {
  const all = NETWORKS[network] ?? {};
  const own = all[parameter];
  if (!own)
    throw new Error(`Expected an error of ${parameter} of ${network} but float32-networks.json has none`);
  const limit = ([error, ties]: [number, number]) =>
    Math.min(PARAMETER_MOST, Math.max(PARAMETER_BASE, 2 * Math.max(error, ties)));
  const entries = Object.values(all);
  const turned = entries.filter((entry) => limit(entry) > PARAMETER_BASE);
  return ownOrder(device, emulated) && 2 * turned.length <= entries.length ? PARAMETER_BASE : limit(own);
}
