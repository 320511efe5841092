#include "ops/linear_backward.h"

#include <algorithm>

#include "cpu/gradient_pass.h"
#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

using namespace dense_gradients;

// Two products of plain matrices. Where x is blocked it is put into rows first, and the gradient back: that
// moves less than the weight's columns in x's order would, and the weight stays as it is.
class LinearBackward : public Kernel {
 public:
  LinearBackward(const OpCall& call, int block)
      : call_(call),
        block_(block),
        asked_(read_asked(call)),
        masks_(call.has(y) || call.has(count)),
        blocked_(call.in[x].layout == Layout::blocked),
        pass_(call.in[grad], block) {
    const auto take = [this](size_t bytes) {
      const size_t at = workspace_;
      workspace_ += (bytes + 63) / 64 * 64;
      return at;
    };
    masked_ = take(masks_ && asked_.dresidual < 0 ? call.in[grad].bytes(block) : 0);
    partials_ = take(pass_.workspace_bytes());
    rows_ = take(blocked_ ? element_count(call.in[x].shape) * sizeof(float) : 0);
  }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(RunContext& context) override {
    const int64_t all = call_.in[grad].shape[0], rows = valid_rows(context.in[count], all);
    const int64_t outputs = call_.in[weight].shape[0], width = call_.in[weight].shape[1];
    const auto space = [&](size_t at) {
      return reinterpret_cast<float*>(static_cast<char*>(context.workspace) + at);
    };
    const auto output = [&](int i) { return i < 0 ? nullptr : context.out[i].as<float>(); };
    float *dx = output(asked_.dx), *dweight = output(asked_.dweight), *dbias = output(asked_.dbias);
    const float* from = context.in[grad].as<float>();
    float* masked = output(asked_.dresidual);
    if (masks_ && !masked) masked = space(masked_);
    if (masks_ || dbias) pass_.run(from, context.in[y].as<float>(), rows, masked, dbias, space(partials_));
    if (masks_) from = masked;
    if (dweight && rows == 0) std::fill_n(dweight, outputs * width, 0.0f);
    TensorDesc valid = call_.in[x];
    valid.shape[0] = rows;
    if (dweight && rows > 0) {
      const float* values = context.in[x].as<float>();
      if (blocked_) {
        if (Status status = reordered(valid, context.in[x].data, true, space(rows_)); !status.ok())
          return status;
        values = space(rows_);
      }
      const Status status =
          run_gemm({true, false, outputs, width, rows, from, outputs, values, width, dweight, width});
      if (!status.ok()) return status;
    }
    if (!dx) return {};
    const int64_t stored = all ? call_.in[x].stored_elements(block_) / all : 0;
    std::fill(dx + rows * stored, dx + all * stored, 0.0f);
    if (rows == 0) return {};
    float* to = blocked_ ? space(rows_) : dx;
    const Status status = run_gemm({false, false, rows, width, outputs, from, outputs,
                                    context.in[weight].as<float>(), width, to, width});
    return status.ok() && blocked_ ? reordered(valid, to, false, dx) : status;
  }

 private:
  Status reordered(const TensorDesc& blocked, void* from, bool to_rows, void* to) {
    return guarded("linear_backward", [&]() -> Status {
      const auto rows = memory_desc({DType::f32, blocked.shape}, block_, blocked.shape[0]);
      const auto blocks = memory_desc(blocked, block_, blocked.shape[0]);
      reorder(to_rows ? blocks : rows, from, to_rows ? rows : blocks, to);
      return {};
    });
  }

  OpCall call_;
  int block_;
  Asked asked_;
  bool masks_, blocked_;
  GradientPass pass_;
  size_t masked_ = 0, partials_ = 0, rows_ = 0, workspace_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_linear_backward(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new LinearBackward(call, block));
}

}  // namespace nlrcnn::cpu
