import type { HostParameter } from '../layers/parameters.js';
import type { Tensor } from '../tensor.js';

/** A tensor of a state; read from its device when it is asked for, so that all need not be in memory at once. */
export interface LazyParameter {
  shape: readonly number[];
  data: () => Promise<Float32Array>;
}

export type LazyState = ReadonlyMap<string, LazyParameter>;

export function lazily(tensor: Tensor, shape = tensor.shape): LazyParameter {
  return {
    shape,
    data: async () => {
      const { data } = await tensor.read();
      return data instanceof Float32Array ? data : Float32Array.from(data as Int32Array);
    },
  };
}

export async function readState(state: LazyState): Promise<Map<string, HostParameter>> {
  const read = [...state].map(
    async ([name, { shape, data }]) => [name, { shape, data: await data() }] as const,
  );
  return new Map(await Promise.all(read));
}
