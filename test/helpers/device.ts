import { join } from 'node:path';
import type { Device, Precision } from '../../dist/device.js';

// Before anything asks for the addon: CUDA devices of the tests are emulated where no GPU is named.
const own = process.env.NLRCNN_TEST_DEVICE as Device | undefined;
if (!own) {
  process.env.NLRCNN_CUDA_PLUGIN ??= join(__dirname, '..', '..', 'build', 'Release', 'libnlrcnn_emulated.so');
}

/** The GPU of NLRCNN_TEST_DEVICE, or its emulation. */
export const CUDA: Device = own ?? 'cuda:0';
export const EMULATED = !own;
/** Where tests of ops and networks run. */
export const DEVICES: readonly Device[] = own ? [own] : ['cpu', 'cuda:0'];

/** Where and how a case runs. */
export interface Place {
  device: Device;
  precision?: Precision;
}

/** Each of `cases` on each device. */
export function onDevices<T>(cases: readonly T[]): [Device, T][] {
  return DEVICES.flatMap((device) => cases.map((one): [Device, T] => [device, one]));
}
