#pragma once
#include "cpu/kernels.h"
#include "ops/norm.h"

namespace nlrcnn::cpu {

// x in planes of one image and one block of channels, and those in chunks of places.
struct Planes {
  norm::Sizes sizes;
  int block;

  int64_t blocks() const { return sizes.stored / block; }
  int64_t count() const { return sizes.images * blocks(); }
  int64_t chunks() const { return (sizes.places + kPlaces - 1) / kPlaces; }

  static constexpr int64_t kPlaces = 1024;
};

// batch_norm and group_norm.
class NormForward : public Kernel {
 public:
  // Running statistics are inputs `running` and the next; 0: there are none.
  NormForward(const OpCall& call, int block, size_t residual, size_t running);
  size_t workspace_bytes() const override;
  Status run(RunContext& context) override;

 private:
  Planes planes_;
  size_t residual_, running_;
  float eps_, momentum_;
  bool relu_;
};

// Their gradients.
class NormBackward : public Kernel {
 public:
  NormBackward(const OpCall& call, int block);
  size_t workspace_bytes() const override;
  Status run(RunContext& context) override;

 private:
  Planes planes_;
};

}  // namespace nlrcnn::cpu
