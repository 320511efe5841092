#pragma once
#include "cuda/kernels.h"
#include "ops/norm.h"

namespace nlrcnn::cuda {

// Where things lie in the workspace of a norm.
struct NormWorkspace {
  int64_t chunks, chunk;  // of the places of an image; places of one
  size_t partials, sums, coefficients, bytes;

  explicit NormWorkspace(const norm::Sizes& s);
};

// batch_norm and group_norm.
class NormForward : public Kernel {
 public:
  // Running statistics are inputs `running` and the next; 0: there are none.
  NormForward(const OpCall& call, size_t residual, size_t running);
  Status init() { return {}; }
  size_t workspace_bytes() const override { return workspace_.bytes; }
  Status run(RunContext& context) override;

 private:
  norm::Sizes sizes_;
  NormWorkspace workspace_;
  size_t residual_, running_;
  float eps_, momentum_;
  bool relu_;
  DType dtype_;
};

// Their gradients.
class NormBackward : public Kernel {
 public:
  explicit NormBackward(const OpCall& call);
  Status init() { return {}; }
  size_t workspace_bytes() const override { return workspace_.bytes; }
  Status run(RunContext& context) override;

 private:
  norm::Sizes sizes_;
  NormWorkspace workspace_;
  DType dtype_;
};

}  // namespace nlrcnn::cuda
