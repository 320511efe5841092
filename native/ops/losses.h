#pragma once
#include <cmath>

#include "ops/check.h"

// What the loss ops share. Each gives its loss and, at the same pass, the gradient for an upstream gradient
// of one, so that the way back is a product (scale) or a product and a scatter.
namespace nlrcnn::losses {

// A loss at one value and its derivative.
struct Term {
  float loss, grad;
};

// torch.nn.functional.binary_cross_entropy_with_logits.
NLRCNN_HD inline Term binary_cross_entropy(float logit, float target) {
  const float small = expf(-fabsf(logit));
  const float sigmoid = logit >= 0 ? 1 / (1 + small) : small / (1 + small);
  return {(logit > 0 ? logit : 0.0f) - logit * target + log1pf(small), sigmoid - target};
}

// torch.nn.functional.smooth_l1_loss; with beta 0 the absolute difference.
NLRCNN_HD inline Term smooth_l1(float difference, float beta) {
  const float size = fabsf(difference);
  if (size < beta) return {0.5f * size * size / beta, difference / beta};
  return {size - 0.5f * beta, difference > 0 ? 1.0f : difference < 0 ? -1.0f : difference};
}

// torch.nn.functional.cross_entropy of one row; its gradient times `weight` goes to `grad`. F and G point to
// floats.
template <class F, class G>
NLRCNN_HD float softmax_row(F logits, int64_t classes, int64_t label, float weight, G grad) {
  float most = logits[0], sum = 0;
  for (int64_t c = 1; c < classes; ++c) most = logits[c] > most ? logits[c] : most;
  for (int64_t c = 0; c < classes; ++c) {
    const float v = expf(logits[c] - most);
    grad[c] = v;
    sum += v;
  }
  for (int64_t c = 0; c < classes; ++c) grad[c] = weight * (grad[c] / sum - (c == label ? 1.0f : 0.0f));
  return logf(sum) - (logits[label] - most);
}

// What each term of a sum counts: 1 / terms (at least one) where `mean` is set, else 1 / normalizer.
inline Status read_weight(const OpCall& call, int64_t terms, float* out) {
  double normalizer;
  if (Status s = read_number(call, "normalizer", 1e-30, 1e30, 1, &normalizer); !s.ok()) return s;
  if (call.attrs.flag("mean")) normalizer = terms > 1 ? double(terms) : 1.0;
  *out = static_cast<float>(1 / normalizer);
  return {};
}

inline Status check_labels(const OpCall& call, size_t input, int64_t rows) {
  if (!call.has(input))
    return Status::error(Code::argument, "Expected labels for " + call.name + " but received none");
  if (call.in[input].dtype != DType::i32)
    return Status::error(Code::dtype, std::string("Expected labels of dtype int32 but received ") +
                                          dtype_name(call.in[input].dtype));
  if (call.in[input].shape == Shape{rows}) return {};
  return expected_shape("labels", ("[" + std::to_string(rows) + "]").c_str(), call.in[input].shape);
}

inline Status wrong_label(int32_t label, int64_t classes) {
  return Status::error(Code::argument, "Expected labels below " + std::to_string(classes) + " but received " +
                                           std::to_string(label));
}

}  // namespace nlrcnn::losses
