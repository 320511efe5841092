#include "ops/non_local_roi_backward.h"

#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "ops/non_local_roi_steps.h"

namespace nlrcnn::cpu {
namespace {

using namespace non_local_roi_gradient;

struct Math {
  using Floats = float*;
  using Ints = int32_t*;

  static Floats floats(float* data, int64_t) { return data; }
  static Ints ints(const int32_t* data, int64_t) { return const_cast<int32_t*>(data); }

  template <class Step>
  Status each(int64_t count, const Step& step) {
#pragma omp parallel for if (count > 64)
    for (int64_t i = 0; i < count; ++i) step(i);
    return {};
  }

  Status product(const Product& p) {
    for (int64_t b = 0; b < p.batch; ++b) {
      const Status status =
          run_gemm({p.transpose_a, p.transpose_b, p.m, p.n, p.k, p.a + b * p.stride_a, p.lda,
                    p.b + b * p.stride_b, p.ldb, p.d + b * p.stride_d, p.ldd, 1, p.add ? 1.0f : 0.0f});
      if (!status.ok()) return status;
    }
    return {};
  }
};

class NonLocalRoiBackward : public Kernel {
 public:
  explicit NonLocalRoiBackward(const OpCall& call)
      : sizes_(sizes_of(non_local_roi_backward::forward_call(call), call.in[0].shape[1])), call_(call) {}

  size_t workspace_bytes() const override { return Buffers(sizes_).end * sizeof(float); }

  Status run(RunContext& context) override {
    const auto& s = sizes_;
    auto* workspace = static_cast<float*>(context.workspace);
    const Buffers buffers(s);
    const float* x = context.in[1].as<float>();
    const int64_t places = s.places();
    float *rows = workspace + buffers.x, *dx = workspace + buffers.dx;
#pragma omp parallel for
    for (int64_t k = 0; k < s.rows; ++k)
      for (int64_t p = 0; p < places; ++p)
        for (int64_t c = 0; c < s.channels; ++c)
          rows[(k * places + p) * s.channels + c] = x[(k * s.channels + c) * places + p];
    std::copy_n(context.in[0].as<float>(), s.rows * s.values, workspace + buffers.y);
    const auto weight = [&](size_t i) { return context.in[1 + i].as<float>(); };
    const auto gradient = [&](size_t i) { return context.out[i].as<float>(); };
    using namespace non_local_roi;
    Math math;
    Steps<Math> steps(
        math, s, workspace,
        {weight(phi_weight), weight(phi_bias), weight(psi_weight), weight(psi_bias), weight(g1_weight),
         weight(g1_bias), weight(g3_weight), weight(g3_bias), weight(w_f)},
        {gradient(phi_weight), gradient(phi_bias), gradient(psi_weight), gradient(psi_bias),
         gradient(g1_weight), gradient(g1_bias), gradient(g3_weight), gradient(g3_bias), gradient(w_f)},
        context.in[1 + segments].as<int32_t>());
    if (Status status = steps.run(); !status.ok()) return status;
    float* out = context.out[0].as<float>();
#pragma omp parallel for
    for (int64_t k = 0; k < s.rows; ++k)
      for (int64_t c = 0; c < s.channels; ++c)
        for (int64_t p = 0; p < places; ++p)
          out[(k * s.channels + c) * places + p] = dx[(k * places + p) * s.channels + c];
    return {};
  }

 private:
  Sizes sizes_;
  OpCall call_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_non_local_roi_backward(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new NonLocalRoiBackward(call));
}

}  // namespace nlrcnn::cpu
