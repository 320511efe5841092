#pragma once
#include "ops/check.h"

// The Non-local RoI block up to y (arXiv 1807.05361): x [K, D, H, W], phi.weight [D_f, D, 1, 1], phi.bias
// [D_f], psi alike, g_1x1.weight [D_g, D, 1, 1], g_1x1.bias [D_g], g_3x3.weight [D_g, D_g, 3, 3], g_3x3.bias
// [D_g], w_f [1, 2 D_f H W]?, segments i32 [S]? -> y [K, D_g]. RoIs of segment s follow those of the one
// before; with rows_per_segment = R they are rows s·R to s·R + segments[s].
namespace nlrcnn::non_local_roi {

inline constexpr size_t kInputs = 11;

enum class Pairwise { embedded_gaussian, gaussian, dot_product, concatenation };
enum Input : size_t {
  x,
  phi_weight,
  phi_bias,
  psi_weight,
  psi_bias,
  g1_weight,
  g1_bias,
  g3_weight,
  g3_bias,
  w_f,
  segments
};

struct Settings {
  Pairwise pairwise;
  bool rsqrt;
  int64_t heads, rows_per_segment;  // 0: segments lie side by side
};

inline Status read_settings(const OpCall& call, Settings* out) {
  const std::string pairwise = call.attrs.string("pairwise", "embedded_gaussian"),
                    scale = call.attrs.string("scale", "none");
  const char* names[] = {"embedded_gaussian", "gaussian", "dot_product", "concatenation"};
  int found = -1;
  for (int i = 0; i < 4; ++i)
    if (pairwise == names[i]) found = i;
  if (found < 0)
    return Status::error(
        Code::argument,
        "Expected pairwise to be embedded_gaussian, gaussian, dot_product or concatenation but received " +
            pairwise);
  if (scale != "none" && scale != "rsqrt")
    return Status::error(Code::argument, "Expected scale to be none or rsqrt but received " + scale);
  out->pairwise = static_cast<Pairwise>(found);
  out->rsqrt = scale == "rsqrt";
  if (Status s = read_integer(call, "rows_per_segment", 0, 0, &out->rows_per_segment); !s.ok()) return s;
  return read_integer(call, "num_heads", 1, 1, &out->heads);
}

// Of segments as they are at run time; `apart`: rows_per_segment.
inline Status check_lengths(const int32_t* lengths, int64_t count, int64_t rows, int64_t apart) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    sum += lengths[i];
    if (lengths[i] < 0 || sum > rows || (apart > 0 && lengths[i] > apart))
      return Status::error(Code::argument, "Expected segments that sum to at most " + std::to_string(rows));
  }
  return {};
}

inline Wants wants(const OpCall&, size_t input) {
  return input == x ? Wants::blocked : Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  if (Status s = check_float(call, x, "x"); !s.ok()) return s;
  const Shape& in = call.in[x].shape;
  if (in.size() != 4 || in[2] < 1 || in[3] < 1) return expected_shape("x", "[K, D, H, W]", in);
  int64_t embed = in[1];
  if (settings.pairwise != Pairwise::gaussian) {
    if (Status s = check_float(call, phi_weight, "phi.weight"); !s.ok()) return s;
    embed = call.in[phi_weight].shape.empty() ? 0 : call.in[phi_weight].shape[0];
    if (Status s = check_shape(call, phi_weight, "phi.weight", {embed, in[1], 1, 1}); !s.ok()) return s;
    if (Status s = check_shape(call, phi_bias, "phi.bias", {embed}); !s.ok()) return s;
    if (Status s = check_shape(call, psi_weight, "psi.weight", {embed, in[1], 1, 1}); !s.ok()) return s;
    if (Status s = check_shape(call, psi_bias, "psi.bias", {embed}); !s.ok()) return s;
  }
  if (Status s = check_float(call, g1_weight, "g_1x1.weight"); !s.ok()) return s;
  const int64_t values = call.in[g1_weight].shape.empty() ? 0 : call.in[g1_weight].shape[0];
  if (Status s = check_shape(call, g1_weight, "g_1x1.weight", {values, in[1], 1, 1}); !s.ok()) return s;
  if (Status s = check_shape(call, g1_bias, "g_1x1.bias", {values}); !s.ok()) return s;
  if (Status s = check_shape(call, g3_weight, "g_3x3.weight", {values, values, 3, 3}); !s.ok()) return s;
  if (Status s = check_shape(call, g3_bias, "g_3x3.bias", {values}); !s.ok()) return s;
  if (settings.pairwise == Pairwise::concatenation)
    if (Status s = check_shape(call, w_f, "w_f", {1, 2 * embed * in[2] * in[3]}); !s.ok()) return s;
  if (embed < 1 || values < 1 || embed % settings.heads || values % settings.heads)
    return Status::error(Code::argument, "Expected num_heads to divide " + std::to_string(embed) + " and " +
                                             std::to_string(values) + " channels but received " +
                                             std::to_string(settings.heads));
  if (call.has(segments) && (call.in[segments].dtype != DType::i32 || call.in[segments].shape.size() != 1))
    return Status::error(Code::dtype, "Expected segments of dtype int32 and shape [S] for non_local_roi");
  const int64_t apart = settings.rows_per_segment;
  if (apart > 0 && (!call.has(segments) || call.in[segments].shape[0] * apart != in[0]))
    return Status::error(Code::argument, "Expected segments of rows_per_segment rows each to be all of " +
                                             std::to_string(in[0]) + " rows");
  return std::vector<TensorDesc>{{call.target.compute, {in[0], values}}};
}

}  // namespace nlrcnn::non_local_roi
