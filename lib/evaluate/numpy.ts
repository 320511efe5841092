/**
 * numpy.linspace(start, stop, count), bit by bit: `start + i * step`, the last one being `stop`. Where a recall or an IoU equals
 * a threshold, these bits decide: linspace(0, 1, 101)[35] is 35 * 0.01 and lies above 35 / 100.
 */
export function linspace(start: number, stop: number, count: number): Float64Array {
  const step = (stop - start) / (count - 1);
  return Float64Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : i * step + start));
}

/** numpy.arange(start, stop, step) of float64, bit by bit: numpy multiplies the difference of its first two values. */
export function arange(start: number, stop: number, step: number): Float64Array {
  const difference = start + step - start;
  const length = Math.ceil((stop - start) / step);
  return Float64Array.from({ length }, (_, i) => start + i * difference);
}

/** numpy.mean of float64, bit by bit; `none` of no values. */
export function mean(values: Float64Array, none: number): number {
  return values.length > 0 ? pairwiseSum(values, 0, values.length) / values.length : none;
}

/** numpy adds up to 128 values in eight partial sums, and halves of longer arrays apart. */
function pairwiseSum(values: Float64Array, from: number, count: number): number {
  if (count < 8) {
    let sum = 0;
    for (let i = from; i < from + count; i++) sum += values[i]!;
    return sum;
  }
  if (count > 128) {
    const half = Math.floor(count / 2);
    const first = half - (half % 8);
    return pairwiseSum(values, from, first) + pairwiseSum(values, from + first, count - first);
  }
  const parts = values.slice(from, from + 8);
  const whole = from + count - (count % 8);
  for (let i = from + 8; i < whole; i += 8) {
    for (let k = 0; k < 8; k++) parts[k]! += values[i + k]!;
  }
  const pair = (k: number) => parts[k]! + parts[k + 1]!;
  let sum = pair(0) + pair(2) + (pair(4) + pair(6));
  for (let i = whole; i < from + count; i++) sum += values[i]!;
  return sum;
}
