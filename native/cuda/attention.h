#pragma once
#include "cuda/kernels.h"

// The parts of the Non-local RoI block that are kernels of ours.
namespace nlrcnn::cuda {

// S float32 [K, 9, D'] of x [K, H, W, D']: for each tap of a 3×3 convolution the mean over all places of what
// it reads.
Status window_sums(Stream& stream, DType dtype, const void* x, const Map& map, void* sums);

// Sizes of g's weights.
struct ValueWeights {
  int64_t values, padded_values, channels, padded_channels, height, width;
};
struct MergedValues {
  void *weight, *bias;  // float32 [D_g', 9 · D'] and [D_g']
};
// g's two convolutions as one matrix over the window sums, made once from the op's constant weights.
Result<MergedValues> merged_values(RunContext& context, const ValueWeights& sizes);

// Sizes of φ or ψ, [heads, K, places, width] of which `each` channels are theirs.
struct Embedded {
  int64_t rows, heads, each, width, places;
};
// The concatenation form's two terms: w_f's halves times φ and ψ, float32 [2, heads, K].
Status pair_terms(Stream& stream, DType dtype, const void* phi, const void* psi, Span<const float> w_f,
                  const Embedded& sizes, Span<float> terms);

enum class AttentionForm : int { softmax, dot_product, pair_sums };

struct Attention {
  AttentionForm form;
  int64_t rows, heads, values;
  // Segment s holds rows [s · per_segment, s · per_segment + segments[s]) where they lie apart, else they
  // follow one another; without lengths all rows are one segment.
  int64_t per_segment, segment_count;
  bool apart;
  Span<const int32_t> segments;
  Span<const float> logits;  // [heads, rows, per_segment]; of pair_sums the two terms
  Span<const float> g;       // [rows, D_g']
  float scale;
};
// y [K, D_g] = Σ_j w_ij g_j, rows beyond the segments 0: scale, online softmax and the product in one pass.
Status attend(Stream& stream, const Attention& attention, DType dtype, void* y, Faults faults);

}  // namespace nlrcnn::cuda
