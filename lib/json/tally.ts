const NAMED = 3;
const LONGEST = 120;

/** Counts what is to be warned of and keeps the first few by name. */
export class Tally {
  #count = 0;
  readonly #first: string[] = [];

  get count(): number {
    return this.#count;
  }

  add(name: string, times = 1): void {
    this.#count += times;
    if (this.#first.length < NAMED) {
      this.#first.push(name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name);
    }
  }

  /** `annotations[0], annotations[7], …` */
  get names(): string {
    return this.#first.join(', ') + (this.#count > this.#first.length ? ', …' : '');
  }
}
