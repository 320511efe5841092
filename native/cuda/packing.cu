#include "cuda/kernels.h"

namespace nlrcnn::cuda {
namespace {

struct Filter {
  int64_t o, i, kh, kw;  // of the weight; i of a group
  int64_t out, in;       // with padding; in of all groups
  int64_t groups;
};

template <class T>
NLRCNN_KERNEL void pack_filter(Span<const float> weight, Filter f, Span<T> to) {
  const int64_t at = global_index();
  if (at >= f.out * f.kh * f.kw * f.in) return;
  const int64_t c = at % f.in, kx = at / f.in % f.kw, ky = at / f.in / f.kw % f.kh,
                o = at / f.in / f.kw / f.kh;
  const int64_t first = o < f.o ? o / (f.o / f.groups) * f.i : 0;
  const bool inside = o < f.o && c >= first && c < first + f.i;
  to[at] = from_float<T>(inside ? weight[((o * f.i + c - first) * f.kh + ky) * f.kw + kx] : 0.0f);
}

template <class T>
NLRCNN_KERNEL void pack_bias(Span<const float> bias, int64_t size, int64_t all, Span<T> to) {
  const int64_t i = global_index();
  if (i < all) to[i] = from_float<T>(i < size ? bias[i] : 0.0f);
}

}  // namespace

Result<void*> derived(RunContext& context, const std::vector<size_t>& inputs, const std::string& form,
                      size_t bytes, const std::function<Status(void*)>& make) {
  std::vector<Storage*> sources;
  for (size_t input : inputs) {
    if (!context.in[input]) continue;
    sources.push_back(context.in_storage[input]);
    if (!sources.back())
      return Status::error(Code::unsupported, "Expected weights that are no outcome of the same recording");
  }
  auto packed = packed_form(
      sources, form, [bytes] { return allocate_device(bytes); }, make);
  if (!packed.ok()) return packed.status();
  return packed.value()->data();
}

Result<void*> packed_filter(RunContext& context, size_t input, const Shape& s, DType dtype, int64_t groups) {
  const Filter f{s[0], s[1], s[2], s[3], padded(s[0]), padded(s[1] * groups), groups};
  const int64_t count = f.out * f.kh * f.kw * f.in;
  const std::string key =
      std::string("filter ") + dtype_name(dtype) + ' ' + to_string(s) + std::to_string(groups);
  return derived(context, {input}, key, count * dtype_size(dtype), [&](void* to) {
    return with_type(dtype, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "pack_filter", grid_of(count), kThreads, pack_filter<T>,
                    span<const float>(context.in[input]), f, span<T>(to, count));
    });
  });
}

Result<void*> packed_bias(RunContext& context, size_t input, int64_t size, DType dtype) {
  if (!context.in[input]) return static_cast<void*>(nullptr);
  const int64_t all = padded(size);
  const std::string key = std::string("bias ") + dtype_name(dtype);
  return derived(context, {input}, key, all * dtype_size(dtype), [&](void* to) {
    return with_type(dtype, [&](auto type) {
      using T = decltype(type);
      return launch(stream_of(context), "pack_bias", grid_of(all), kThreads, pack_bias<T>,
                    span<const float>(context.in[input]), size, all, span<T>(to, all));
    });
  });
}

}  // namespace nlrcnn::cuda
