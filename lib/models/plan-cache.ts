import type { NativePlan } from '../binding.js';

/** Plans by picture size, the least recently used one disposed of when there are more than `limit`. */
export class PlanCache<T extends { plan: Pick<NativePlan, 'dispose'> }> {
  readonly #entries = new Map<string, T>();

  constructor(readonly limit: number) {}

  get size(): number {
    return this.#entries.size;
  }

  get(key: string, make: () => T): T {
    const entry = this.#entries.get(key) ?? make();
    // Deleting first moves the key to the end of the map's order.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    for (const [oldest, { plan }] of this.#entries) {
      if (this.#entries.size <= this.limit) break;
      this.#entries.delete(oldest);
      plan.dispose();
    }
    return entry;
  }

  clear(): void {
    for (const { plan } of this.#entries.values()) plan.dispose();
    this.#entries.clear();
  }
}
