import type { RandomStream } from '../random.js';

/** Of one image: indices of what was sampled. */
export interface Sampled {
  positive: Int32Array;
  negative: Int32Array;
}

export interface SamplerOptions {
  batchSizePerImage: number;
  positiveFraction: number;
}

/**
 * torchvision's BalancedPositiveNegativeSampler on what `matchBoxes` gave: `positiveFraction` of `batchSizePerImage`
 * among the matched (from 0 on), or as many as there are; the rest among the background (-1). Ascending indices.
 */
export function sampleBalanced(
  matches: Int32Array,
  { batchSizePerImage, positiveFraction }: SamplerOptions,
  stream: RandomStream,
): Sampled {
  const [positive, negative] = [new Int32Array(matches.length), new Int32Array(matches.length)];
  let [positives, negatives] = [0, 0];
  for (let i = 0; i < matches.length; i++) {
    if (matches[i]! >= 0) positive[positives++] = i;
    else if (matches[i] === -1) negative[negatives++] = i;
  }
  const wanted = Math.min(positives, Math.floor(batchSizePerImage * positiveFraction));
  return {
    positive: choose(positive.subarray(0, positives), wanted, stream),
    negative: choose(
      negative.subarray(0, negatives),
      Math.min(negatives, batchSizePerImage - wanted),
      stream,
    ),
  };
}

/** `count` of `from`, each as likely, ascending; changes the order of `from`. */
function choose(from: Int32Array, count: number, stream: RandomStream): Int32Array {
  if (count === from.length) return from.slice();
  for (let i = 0; i < count; i++) {
    const j = stream.int(i, from.length);
    [from[i], from[j]] = [from[j]!, from[i]!];
  }
  return from.slice(0, count).sort();
}
