import type { Device } from '../../dist/device.js';

/** Where tests of ops and networks run; NLRCNN_TEST_DEVICE=cuda:0 takes the GPU, or its emulation. */
export const DEVICE = (process.env.NLRCNN_TEST_DEVICE ?? 'cpu') as Device;
