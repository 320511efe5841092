import { type Device, type OpContext, type Precision, Recorder } from '../../dist/device.js';

/** How often an op is recorded beside itself, and how often each plan is timed. */
const COPIES = 20;
const RUNS = 7;

export const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

async function replayTime(
  device: Device,
  precision: Precision,
  copies: number,
  prepare: (context: OpContext) => () => unknown,
): Promise<number> {
  const recorder = new Recorder(device, precision);
  const call = prepare(recorder);
  for (let i = 0; i < copies; i++) call();
  const plan = recorder.finish([]);
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const profile = await plan.profile([]);
    times.push(profile.find(([name]) => name === 'replay')![1]);
  }
  plan.dispose();
  return median(times);
}

/**
 * Microseconds of what `prepare` returns, on the device alone and as part of a CUDA graph: the time of a plan that holds
 * it 21 times less that of one that holds it once.
 */
export async function deviceTime(
  device: Device,
  precision: Precision,
  prepare: (context: OpContext) => () => unknown,
): Promise<number> {
  const once = await replayTime(device, precision, 1, prepare);
  const often = await replayTime(device, precision, 1 + COPIES, prepare);
  return (often - once) / COPIES;
}
