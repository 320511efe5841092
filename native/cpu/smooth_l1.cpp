#include "ops/smooth_l1.h"

#include "cpu/kernels.h"
#include "cpu/losses.h"

namespace nlrcnn::cpu {
namespace {

class SmoothL1 : public Kernel {
 public:
  explicit SmoothL1(const OpCall& call)
      : shape_(call.in[0].shape),
        labelled_(call.has(2)),
        beta_(static_cast<float>(call.attrs.number("beta", 1))) {
    losses::read_weight(call, smooth_l1::terms(call), &weight_);
  }

  size_t workspace_bytes() const override { return partial_bytes(element_count(shape_)); }

  Status run(RunContext& context) override {
    const float *pred = context.in[0].as<float>(), *targets = context.in[1].as<float>();
    float* grad = context.out[1].as<float>();
    auto* partials = static_cast<double*>(context.workspace);
    const auto at = [&](int64_t value, int64_t target) {
      const losses::Term term = losses::smooth_l1(pred[value] - targets[target], beta_);
      grad[value] = weight_ * term.grad;
      return term.loss;
    };
    if (!labelled_) {
      const auto term = [&](int64_t i) { return at(i, i); };
      *context.out[0].as<float>() = sum_terms(element_count(shape_), weight_, partials, term);
      return {};
    }
    const auto* labels = context.in[2].as<int32_t>();
    const int64_t rows = shape_[0], columns = shape_[1];
    if (const int64_t wrong = find_wrong_label(labels, rows, INT32_MIN, columns / 4); wrong >= 0)
      return losses::wrong_label(labels[wrong], columns / 4);
    std::fill_n(grad, rows * columns, 0.0f);
    *context.out[0].as<float>() = sum_terms(4 * rows, weight_, partials, [&](int64_t i) {
      const int64_t row = i / 4, label = labels[row];
      return label > 0 ? at(row * columns + 4 * label + i % 4, i) : 0.0f;
    });
    return {};
  }

 private:
  Shape shape_;
  bool labelled_;
  float beta_, weight_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_smooth_l1(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new SmoothL1(call));
}

}  // namespace nlrcnn::cpu
