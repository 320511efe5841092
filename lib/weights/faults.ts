import { badWeights } from './byte-source.js';

/** Tensors that an error lists. */
const MAX_LISTED = 10;

/** Collects tensors that no network can work with: NaN, infinity, and variances that have no root. */
export class Faults {
  readonly #found: string[] = [];

  /** `normEps`: what is added to variances, where it is known. */
  constructor(readonly normEps?: number) {}

  look(name: string, data: Float32Array): void {
    const count = countNonFinite(data);
    if (count > 0) this.#found.push(`${name} (${count} of ${data.length} values are NaN or infinite)`);
    if (!name.endsWith('.running_var')) return;
    const negative = data.reduce((sum, value) => sum + (value < 0 ? 1 : 0), 0);
    if (negative > 0) this.#found.push(`${name} (${negative} of ${data.length} variances are negative)`);
    else if (this.normEps === 0 && data.includes(0))
      this.#found.push(`${name} (variances of 0, by whose root norm_eps 0 divides)`);
  }

  /** @throws NlrcnnError ERR_NLRCNN_WEIGHTS that names what was found. */
  check(file: string): void {
    const count = this.#found.length;
    if (count === 0) return;
    const listed = this.#found.slice(0, MAX_LISTED).join('\n  ');
    const more = count > MAX_LISTED ? `\n  … and ${count - MAX_LISTED} more` : '';
    throw badWeights(
      file,
      `finite weights but ${count === 1 ? '1 tensor is' : `${count} tensors are`} not:\n  ${listed}${more}`,
    );
  }
}

/** How many values are NaN or infinite. */
export function countNonFinite(data: Float32Array): number {
  if (isFinite32(data)) return 0;
  let count = 0;
  for (const value of data) if (!Number.isFinite(value)) count++;
  return count;
}

const MAGNITUDE = 0x7fff_ffff;
/** One in the exponent: that of NaN and infinity, all ones, carries into the sign bit. */
const ONE = 0x80_0000;

/** As fast as memory is read: eight values a turn, without a branch. */
function isFinite32(data: Float32Array): boolean {
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  const whole = bits.length & ~7;
  let carried = 0;
  for (let i = 0; i < whole; i += 8) {
    carried |=
      ((bits[i]! & MAGNITUDE) + ONE) |
      ((bits[i + 1]! & MAGNITUDE) + ONE) |
      ((bits[i + 2]! & MAGNITUDE) + ONE) |
      ((bits[i + 3]! & MAGNITUDE) + ONE) |
      ((bits[i + 4]! & MAGNITUDE) + ONE) |
      ((bits[i + 5]! & MAGNITUDE) + ONE) |
      ((bits[i + 6]! & MAGNITUDE) + ONE) |
      ((bits[i + 7]! & MAGNITUDE) + ONE);
  }
  for (let i = whole; i < bits.length; i++) carried |= (bits[i]! & MAGNITUDE) + ONE;
  return carried >= 0;
}
