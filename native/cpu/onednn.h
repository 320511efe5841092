#pragma once
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>

#include "core/op.h"
#include "core/pool.h"

// The one place that knows oneDNN's engine, formats and errors; used on the device thread only.
namespace nlrcnn::cpu {

int channel_block();  // 16 with AVX-512, else 8
std::string onednn_isa();
std::string onednn_version();
int thread_count();

dnnl::engine& engine();
dnnl::stream& stream();

// `batch` replaces the first dimension.
dnnl::memory::desc memory_desc(const TensorDesc& desc, int block, int64_t batch);
dnnl::memory::desc vector_desc(int64_t size);

// ReLU and the sum onto what the output holds, with the scratchpad in the op's workspace.
dnnl::primitive_attr dense_attr(bool sum, bool relu);

// Memory that lives as long as a primitive reads it.
struct Packed {
  dnnl::memory memory;
  std::shared_ptr<Storage> owner;
};

// A weight's data (`from`) in the primitive's own format; kept on `storage`, where it has one, until that
// changes.
Result<Packed> packed_weight(void* data, Storage* storage, const dnnl::memory::desc& from,
                             const dnnl::memory::desc& to);
// Equal for equal formats.
std::string format_key(const dnnl::memory::desc& desc);
void reorder(const dnnl::memory::desc& from, void* data, const dnnl::memory::desc& to, void* out);

// Runs `body`, turning oneDNN's exceptions into a status.
Status guarded(const char* what, const std::function<Status()>& body);

// C [m, n] = alpha · A [m, k] · B [k, n] + beta · C, row-major, with A or B given transposed.
struct Gemm {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  float alpha = 1, beta = 0;
};
Status run_gemm(const Gemm& gemm);

// A form of one or several weights, kept on the first until one of them changes; made for this run alone
// where one has no storage.
Result<std::shared_ptr<Storage>> derived_weight(const std::vector<Storage*>& sources, const std::string& key,
                                                size_t bytes, const std::function<Status(float*)>& make);

// While it lives, derived weights take their memory from `pool`: in training they live for a step, like the
// weights that ops make. Device thread only.
class PooledWeights {
 public:
  explicit PooledWeights(MemoryPool* pool);
  ~PooledWeights();
};

// The valid leading rows: what `count` says, within 0 … rows.
int64_t valid_rows(const View& count, int64_t rows);

// Of `all` rows as many as primitives are made for, at least `rows`: a multiple of a sixteenth.
int64_t row_bucket(int64_t rows, int64_t all);

// A primitive for a number of rows.
struct Dense {
  dnnl::primitive primitive;
  dnnl::memory::desc src, weights, dst, scratchpad;
};

// Primitives; throw dnnl::error. Here is where oneDNN 2 and 3 differ.
struct ConvolutionSpec {
  dnnl::algorithm algorithm;
  dnnl::memory::desc src, weights, bias, dst;
  dnnl::memory::dims strides, dilates, padding;
  bool learning = false;  // Winograd's transform of the weights is part of the primitive
};
Dense make_convolution(const ConvolutionSpec& spec, const dnnl::primitive_attr& attr);
// Of x, whose gradient is `src`, and of the weights; the bias is not looked at.
Dense make_convolution_backward_data(const ConvolutionSpec& spec, const dnnl::primitive_attr& attr);
Dense make_convolution_backward_weights(const ConvolutionSpec& spec, const dnnl::primitive_attr& attr);
Dense make_inner_product(const dnnl::memory::desc& src, const dnnl::memory::desc& weights,
                         const dnnl::memory::desc& bias, const dnnl::memory::desc& dst,
                         const dnnl::primitive_attr& attr);

// A layer whose rows are given at run time by `count`: primitives are made for steps of a sixteenth of all
// rows.
class DenseKernel : public Kernel {
 public:
  DenseKernel(const OpCall& call, int block, size_t residual, size_t count);
  size_t workspace_bytes() const override { return workspace_; }
  Status run(RunContext& context) override;

 protected:
  virtual Dense make(int64_t rows) = 0;
  virtual dnnl::memory::desc weight_desc() const = 0;
  virtual Result<Packed> weights(const RunContext& context, const Dense& dense) const;
  Status prepare();

  OpCall call_;
  int block_;

 private:
  int64_t bucket(int64_t rows) const { return row_bucket(rows, call_.in[0].shape[0]); }

  size_t residual_, count_;
  size_t workspace_ = 0;
  std::map<int64_t, Dense> by_rows_;
};

}  // namespace nlrcnn::cpu
