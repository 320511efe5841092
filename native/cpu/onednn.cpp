#include "cpu/onednn.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <cstring>

namespace nlrcnn::cpu {

using dnnl::memory;

int channel_block() {
  static const int block = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core ? 16 : 8;
  return block;
}

std::string onednn_isa() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "other";
  }
}

std::string onednn_version() {
  const auto* v = dnnl::version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

int thread_count() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;  // as the fuzz targets and the thread test are compiled
#endif
}

dnnl::engine& engine() {
  // Never freed, as the device's thread may still use it while static objects go.
  static auto* instance = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *instance;
}

dnnl::stream& stream() {
  static auto* instance = new dnnl::stream(engine());
  return *instance;
}

memory::desc memory_desc(const TensorDesc& desc, int block, int64_t batch) {
  memory::dims dims(desc.shape.begin(), desc.shape.end());
  dims[0] = batch;
  using tag = memory::format_tag;
  tag format = block == 16 ? tag::nChw16c : tag::nChw8c;
  if (desc.layout == Layout::plain) format = dims.size() == 4 ? tag::nchw : tag::nc;
  return {dims, memory::data_type::f32, format};
}

memory::desc vector_desc(int64_t size) {
  return {{size}, memory::data_type::f32, memory::format_tag::x};
}

dnnl::primitive_attr dense_attr(bool sum, bool relu) {
  dnnl::post_ops ops;
  if (sum) ops.append_sum(1.0f);
#if DNNL_VERSION_MAJOR >= 3
  if (relu) ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
  if (relu) ops.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
  dnnl::primitive_attr attr;
  attr.set_post_ops(ops);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

std::string format_key(const memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  // What tells Winograd's formats apart cannot be read, only compared.
  static std::vector<memory::desc> known;
  auto found = std::find(known.begin(), known.end(), desc);
  if (found == known.end()) found = known.insert(found, desc);
  return "format " + std::to_string(found - known.begin());
#else
  return {reinterpret_cast<const char*>(&desc.data), sizeof desc.data};
#endif
}

namespace {

using Forward = dnnl::convolution_forward;

Forward::primitive_desc convolution_desc(const ConvolutionSpec& s, dnnl::prop_kind kind,
                                         const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), kind,      s.algorithm, s.src,     s.weights, s.bias,
          s.dst,    s.strides, s.dilates,   s.padding, s.padding, attr};
#else
  return {{kind, s.algorithm, s.src, s.weights, s.bias, s.dst, s.strides, s.dilates, s.padding, s.padding},
          attr,
          engine()};
#endif
}

// What the descriptors of gradients are made with.
Forward::primitive_desc hint(ConvolutionSpec s) {
  s.bias = memory::desc();
  return convolution_desc(s, dnnl::prop_kind::forward_training, {});
}

}  // namespace

Dense make_convolution(const ConvolutionSpec& s, const dnnl::primitive_attr& attr) {
  using dnnl::prop_kind;
  const auto kind = s.learning ? prop_kind::forward_training : prop_kind::forward_inference;
  const auto pd = convolution_desc(s, kind, attr);
  return {Forward(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(), pd.scratchpad_desc()};
}

Dense make_convolution_backward_data(const ConvolutionSpec& s, const dnnl::primitive_attr& attr) {
  using Backward = dnnl::convolution_backward_data;
#if DNNL_VERSION_MAJOR >= 3
  const Backward::primitive_desc pd(engine(), s.algorithm, s.src, s.weights, s.dst, s.strides, s.dilates,
                                    s.padding, s.padding, hint(s), attr);
#else
  const Backward::primitive_desc pd(
      {s.algorithm, s.src, s.weights, s.dst, s.strides, s.dilates, s.padding, s.padding}, attr, engine(),
      hint(s));
#endif
  return {Backward(pd), pd.diff_src_desc(), pd.weights_desc(), pd.diff_dst_desc(), pd.scratchpad_desc()};
}

Dense make_convolution_backward_weights(const ConvolutionSpec& s, const dnnl::primitive_attr& attr) {
  using Backward = dnnl::convolution_backward_weights;
#if DNNL_VERSION_MAJOR >= 3
  const Backward::primitive_desc pd(engine(), s.algorithm, s.src, s.weights, s.dst, s.strides, s.dilates,
                                    s.padding, s.padding, hint(s), attr);
#else
  const Backward::primitive_desc pd(
      {s.algorithm, s.src, s.weights, s.dst, s.strides, s.dilates, s.padding, s.padding}, attr, engine(),
      hint(s));
#endif
  return {Backward(pd), pd.src_desc(), pd.diff_weights_desc(), pd.diff_dst_desc(), pd.scratchpad_desc()};
}

Dense make_inner_product(const memory::desc& src, const memory::desc& weights, const memory::desc& bias,
                         const memory::desc& dst, const dnnl::primitive_attr& attr) {
  using InnerProduct = dnnl::inner_product_forward;
  const auto kind = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
  const InnerProduct::primitive_desc pd(engine(), kind, src, weights, bias, dst, attr);
#else
  const InnerProduct::primitive_desc pd(InnerProduct::desc(kind, src, weights, bias, dst), attr, engine());
#endif
  return {InnerProduct(pd), pd.src_desc(), pd.weights_desc(), pd.dst_desc(), pd.scratchpad_desc()};
}

void reorder(const memory::desc& from, void* data, const memory::desc& to, void* out) {
  memory source(from, engine(), data), target(to, engine(), out);
  dnnl::reorder(source, target).execute(stream(), source, target);
  stream().wait();
}

Result<Packed> packed_weight(void* data, Storage* storage, const memory::desc& from, const memory::desc& to) {
  if (from == to) return Packed{memory(from, engine(), data), nullptr};
  auto packed = derived_weight({storage}, format_key(to), to.get_size(), [&](float* made) -> Status {
    reorder(from, data, to, made);
    return {};
  });
  if (!packed.ok()) return packed.status();
  return Packed{memory(to, engine(), packed.value()->data()), packed.value()};
}

Status guarded(const char* what, const std::function<Status()>& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    const Code code = error.status == dnnl_out_of_memory ? Code::out_of_memory : Code::unsupported;
    return Status::error(code, std::string(what) + " failed in oneDNN: " + error.message);
  } catch (const std::bad_alloc&) {
    return Status::error(Code::out_of_memory, std::string("Out of memory in ") + what);
  }
}

Status run_gemm(const Gemm& g) {
  if (g.m == 0 || g.n == 0) return {};
  if (g.k == 0) {  // oneDNN takes no empty factors
    for (int64_t row = 0; row < g.m; ++row)
      for (int64_t i = 0; i < g.n; ++i)
        g.c[row * g.ldc + i] = g.beta == 0 ? 0 : g.beta * g.c[row * g.ldc + i];
    return {};
  }
  const dnnl_status_t status = dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', g.m, g.n, g.k,
                                          g.alpha, g.a, g.lda, g.b, g.ldb, g.beta, g.c, g.ldc);
  return status == dnnl_success ? Status{}
                                : Status::error(Code::internal, "A matrix product failed in oneDNN");
}

namespace {

MemoryPool* weight_pool = nullptr;

Result<std::shared_ptr<Storage>> weight_memory(size_t bytes) {
  auto storage = weight_pool ? std::make_shared<Storage>(bytes) : allocate_host(bytes);
  if (!storage) return Status::error(Code::out_of_memory, "Out of memory for packed weights");
  if (!weight_pool) return storage;
  if (Status status = weight_pool->provide(*storage); !status.ok()) return status;
  return storage;
}

}  // namespace

PooledWeights::PooledWeights(MemoryPool* pool) {
  weight_pool = pool;
}
PooledWeights::~PooledWeights() {
  weight_pool = nullptr;
}

Result<std::shared_ptr<Storage>> derived_weight(const std::vector<Storage*>& sources, const std::string& key,
                                                size_t bytes, const std::function<Status(float*)>& make) {
  const auto allocate = [bytes] { return weight_memory(bytes); };
  const auto fill = [&make](void* to) { return make(static_cast<float*>(to)); };
  if (std::find(sources.begin(), sources.end(), nullptr) == sources.end())
    return packed_form(sources, key, allocate, fill);
  auto made = allocate();
  if (!made.ok()) return made;
  if (Status status = fill(made.value()->data()); !status.ok()) return status;
  return made;
}

int64_t valid_rows(const View& count, int64_t rows) {
  return count ? std::clamp<int64_t>(*count.as<int32_t>(), 0, rows) : rows;
}

int64_t row_bucket(int64_t rows, int64_t all) {
  const int64_t step = (all + 15) / 16;
  return std::min(all, (rows + step - 1) / step * step);
}

DenseKernel::DenseKernel(const OpCall& call, int block, size_t residual, size_t count)
    : call_(call), block_(block), residual_(residual), count_(count) {}

Status DenseKernel::prepare() {
  const int64_t all = call_.in[0].shape[0];
  if (element_count(call_.out[0].shape) == 0) return {};
  return guarded(call_.name.c_str(), [&]() -> Status {
    // Smaller batches can ask for more scratch than the whole one, so all sizes are known before the arena is
    // laid out.
    for (int64_t rows = all;; rows = bucket(1)) {
      auto it = by_rows_.emplace(rows, make(rows)).first;
      workspace_ = std::max(workspace_, it->second.scratchpad.get_size());
      if (!call_.has(count_) || rows == bucket(1)) return {};
    }
  });
}

Result<Packed> DenseKernel::weights(const RunContext& context, const Dense& dense) const {
  return packed_weight(context.in[1].data, context.in_storage[1], weight_desc(), dense.weights);
}

Status DenseKernel::run(RunContext& context) {
  const int64_t rows =
      call_.has(count_) ? valid_rows(context.in[count_], call_.in[0].shape[0]) : call_.in[0].shape[0];
  if (rows == 0 || element_count(call_.out[0].shape) == 0) return {};
  return guarded(call_.name.c_str(), [&]() -> Status {
    int64_t size = bucket(rows);
    auto found = by_rows_.find(size);
    if (found == by_rows_.end()) {
      Dense made = make(size);
      if (made.scratchpad.get_size() <= workspace_) found = by_rows_.emplace(size, std::move(made)).first;
    }
    if (found == by_rows_.end()) found = by_rows_.find(size = call_.in[0].shape[0]);
    const Dense& dense = found->second;
    auto packed = weights(context, dense);
    if (!packed.ok()) return packed.status();
    float* out = context.out[0].as<float>();
    if (call_.has(residual_) && context.in[residual_].data != out) {
      const size_t per_row = call_.out[0].bytes(block_) / call_.out[0].shape[0];
      std::memcpy(out, context.in[residual_].data, per_row * size);
    }
    std::unordered_map<int, memory> args{
        {DNNL_ARG_SRC, {dense.src, engine(), context.in[0].data}},
        {DNNL_ARG_WEIGHTS, packed.value().memory},
        {DNNL_ARG_DST, {dense.dst, engine(), out}},
        {DNNL_ARG_SCRATCHPAD, {dense.scratchpad, engine(), context.workspace}}};
    if (context.in[2])
      args.insert({DNNL_ARG_BIAS, {vector_desc(call_.in[2].shape[0]), engine(), context.in[2].data}});
    dense.primitive.execute(stream(), args);
    stream().wait();
    return {};
  });
}

}  // namespace nlrcnn::cpu
