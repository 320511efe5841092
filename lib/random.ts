/**
 * Random numbers that are a function of their keys alone, on every machine: Chris Doty-Humphrey's sfc32 (PractRand), started from
 * up to three keys of 32 bits.
 */
export class RandomStream {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(...keys: [a: number, b?: number, c?: number]) {
    [this.#a, this.#b, this.#c] = [keys[0] | 0, (keys[1] ?? 0) | 0, (keys[2] ?? 0) | 0];
    for (let i = 0; i < 15; i++) this.uint32(); // until neighbouring keys have nothing in common
  }

  /** The next integer in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** The next double in [0, 1). */
  next(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** The next integer in [low, high). */
  int(low: number, high: number): number {
    return low + Math.floor((high - low) * this.next());
  }

  /** 0 … length − 1 in random order (Fisher and Yates). */
  permutation(length: number): Uint32Array {
    const order = Uint32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.int(0, i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
