#include "ops/conv2d_backward.h"

#include <algorithm>
#include <optional>

#include "cpu/convolution.h"
#include "cpu/gradient_pass.h"
#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

using namespace dense_gradients;
using dnnl::memory;

// Primitives of one gradient by number of images; a count asks for ever new ones.
constexpr size_t kMostPrimitives = 64;

class Conv2dBackward : public Kernel {
 public:
  Conv2dBackward(const OpCall& call, int block)
      : call_(call),
        block_(block),
        asked_(read_asked(call)),
        masks_(call.has(y) || call.has(count)),
        pass_(call.in[grad], block) {}

  Status init() {
    conv2d::Settings settings;
    if (Status status = conv2d::read_settings(call_, &settings); !status.ok()) return status;
    const Shape& w = call_.in[weight].shape;
    if (asked_.dx >= 0) data_.emplace(settings, call_.out[asked_.dx], w, call_.in[grad], call_.target);
    if (asked_.dweight >= 0) weights_.emplace(settings, call_.in[x], w, call_.in[grad], call_.target);
    const auto take = [this](size_t bytes) {
      const size_t at = workspace_;
      workspace_ += (bytes + 63) / 64 * 64;
      return at;
    };
    masked_ = take(masks_ && asked_.dresidual < 0 ? call_.in[grad].bytes(block_) : 0);
    partials_ = take(pass_.workspace_bytes());
    if (all() == 0 || element_count(call_.in[x].shape) == 0) return {};
    return guarded("conv2d_backward", [&]() -> Status {
      if (data_) scratch_bytes_ = primitive(Convolution::Pass::data, all()).scratchpad.get_size();
      if (weights_) {
        const Dense& dense = primitive(Convolution::Pass::weights, all());
        scratch_bytes_ = std::max(scratch_bytes_, dense.scratchpad.get_size());
        packed_bytes_ = dense.weights.get_size();
      }
      packed_ = take(packed_bytes_);
      scratch_ = take(scratch_bytes_);
      return {};
    });
  }

  size_t workspace_bytes() const override { return workspace_; }

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[count], all());
    char* workspace = static_cast<char*>(context.workspace);
    const auto output = [&](int i) { return i < 0 ? nullptr : context.out[i].as<float>(); };
    float *dx = output(asked_.dx), *dweight = output(asked_.dweight), *dbias = output(asked_.dbias);
    float *from = context.in[grad].as<float>(), *masked = output(asked_.dresidual);
    if (masks_ && !masked) masked = reinterpret_cast<float*>(workspace + masked_);
    if (masks_ || dbias)
      pass_.run(from, context.in[y].as<float>(), rows, masked, dbias,
                reinterpret_cast<float*>(workspace + partials_));
    if (masks_) from = masked;
    const bool nothing = rows == 0 || element_count(call_.in[x].shape) == 0;
    if (dweight && nothing) std::fill_n(dweight, element_count(call_.in[weight].shape), 0.0f);
    if (dx) {
      const size_t row = all() ? call_.out[asked_.dx].stored_elements(block_) / all() : 0;
      std::fill(dx + rows * row, dx + all() * row, 0.0f);
    }
    if (nothing || (!dx && !dweight)) return {};
    return guarded("conv2d_backward", [&]() -> Status {
      if (dx)
        if (Status status = find_dx(context, row_bucket(rows, all()), from, dx); !status.ok()) return status;
      return dweight ? find_dweight(context, rows, from, dweight) : Status{};
    });
  }

 private:
  int64_t all() const { return call_.in[grad].shape[0]; }

  const Dense& primitive(Convolution::Pass pass, int64_t rows) {
    const bool data = pass == Convolution::Pass::data;
    auto& known = data ? data_by_rows_ : weights_by_rows_;
    if (auto found = known.find(rows); found != known.end()) return found->second;
    if (known.size() >= kMostPrimitives) known.clear();
    return known.emplace(rows, (data ? data_ : weights_)->make(pass, rows, false, dense_attr(false, false)))
        .first->second;
  }

  Status execute(RunContext& context, const Dense& dense, std::unordered_map<int, memory> args) {
    void* scratch = static_cast<char*>(context.workspace) + scratch_;
    std::shared_ptr<Storage> own;
    // Fewer images can ask for more scratch than all of them.
    if (dense.scratchpad.get_size() > scratch_bytes_) {
      own = allocate_host(dense.scratchpad.get_size());
      if (!own)
        return Status::error(Code::out_of_memory, "Out of memory for the scratchpad of conv2d_backward");
      scratch = own->data();
    }
    args.insert({DNNL_ARG_SCRATCHPAD, {dense.scratchpad, engine(), scratch}});
    dense.primitive.execute(stream(), args);
    stream().wait();
    return {};
  }

  Status find_dx(RunContext& context, int64_t rows, float* from, float* dx) {
    const Dense& dense = primitive(Convolution::Pass::data, rows);
    auto packed = packed_weight(context.in[weight].data, context.in_storage[weight], data_->weight_desc(),
                                dense.weights);
    if (!packed.ok()) return packed.status();
    return execute(context, dense,
                   {{DNNL_ARG_DIFF_DST, {dense.dst, engine(), from}},
                    {DNNL_ARG_WEIGHTS, packed.value().memory},
                    {DNNL_ARG_DIFF_SRC, {dense.src, engine(), dx}}});
  }

  // Of the valid images alone: x may hold anything in the others.
  Status find_dweight(RunContext& context, int64_t rows, float* from, float* dweight) {
    const Dense& dense = primitive(Convolution::Pass::weights, rows);
    const memory::desc plain = weights_->weight_desc();
    const bool same = dense.weights == plain;
    std::shared_ptr<Storage> own;
    void* packed = static_cast<char*>(context.workspace) + packed_;
    if (same) packed = dweight;
    if (!same && dense.weights.get_size() > packed_bytes_) {
      own = allocate_host(dense.weights.get_size());
      if (!own) return Status::error(Code::out_of_memory, "Out of memory for the weight's gradient");
      packed = own->data();
    }
    const Status status = execute(context, dense,
                                  {{DNNL_ARG_SRC, {dense.src, engine(), context.in[x].data}},
                                   {DNNL_ARG_DIFF_DST, {dense.dst, engine(), from}},
                                   {DNNL_ARG_DIFF_WEIGHTS, {dense.weights, engine(), packed}}});
    if (status.ok() && !same) reorder(dense.weights, packed, plain, dweight);
    return status;
  }

  OpCall call_;
  int block_;
  Asked asked_;
  bool masks_;
  GradientPass pass_;
  std::optional<Convolution> data_, weights_;
  std::map<int64_t, Dense> data_by_rows_, weights_by_rows_;
  size_t masked_ = 0, partials_ = 0, packed_ = 0, packed_bytes_ = 0, scratch_ = 0, scratch_bytes_ = 0,
         workspace_ = 0;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_conv2d_backward(const OpCall& call, int block) {
  auto kernel = std::make_unique<Conv2dBackward>(call, block);
  if (Status status = kernel->init(); !status.ok()) return status;
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace nlrcnn::cpu
