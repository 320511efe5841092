import type { NonLocalRoiConfig } from './model-config.js';

/** phi(x) and psi(x) of all RoIs on the host, [N, D_f, H, W]. */
export interface HostEmbeddings {
  phi: Float32Array;
  psi: Float32Array;
  /** [1, 2·D_f·H·W], of `concatenation` alone. */
  wF?: Float32Array | undefined;
}

/**
 * How much RoI `roi` attends to each of `count` RoIs, [num_heads][count], `rowLength` D_f·H·W: what the block multiplies g(x_j) by
 * (arXiv 1807.05361, eq. 2), a softmax for the Gaussians, else e / N, which may be negative.
 */
export function attentionRow(
  { phi, psi, wF }: HostEmbeddings,
  roi: number,
  count: number,
  rowLength: number,
  { pairwise, scale, num_heads: heads }: NonLocalRoiConfig,
): Float64Array[] {
  const width = rowLength / heads;
  const factor = scale === 'rsqrt' ? 1 / Math.sqrt(width) : 1;
  return Array.from({ length: heads }, (_, head) => {
    const own = roi * rowLength + head * width;
    const logits = Float64Array.from({ length: count }, (_, j) => {
      const other = j * rowLength + head * width;
      let sum = 0;
      if (wF) {
        for (let k = 0; k < width; k++) {
          sum += wF[head * width + k]! * phi[own + k]! + wF[rowLength + head * width + k]! * psi[other + k]!;
        }
        return factor * Math.max(0, sum);
      }
      for (let k = 0; k < width; k++) sum += phi[own + k]! * psi[other + k]!;
      return factor * sum;
    });
    return pairwise === 'embedded_gaussian' || pairwise === 'gaussian'
      ? softmax(logits)
      : logits.map((e) => e / count);
  });
}

function softmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((e) => Math.exp(e - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}
