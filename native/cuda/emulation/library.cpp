#include "cuda/library.h"

#include <algorithm>

#include "cpu/onednn.h"
#include "cuda/emulation/stream.h"
#include "cuda/numeric.h"

namespace nlrcnn::cuda {
namespace {

float load(const void* data, DType dtype, int64_t i) {
  if (dtype == DType::f16) return to_float(static_cast<const Half*>(data)[i]);
  if (dtype == DType::bf16) return to_float(static_cast<const Bfloat16*>(data)[i]);
  return static_cast<const float*>(data)[i];
}

void store(void* data, DType dtype, int64_t i, float v) {
  if (dtype == DType::f16)
    static_cast<Half*>(data)[i] = from_float<Half>(v);
  else if (dtype == DType::bf16)
    static_cast<Bfloat16*>(data)[i] = from_float<Bfloat16>(v);
  else
    static_cast<float*>(data)[i] = v;
}

// Rows of a matrix of a batch in float32.
std::vector<float> loaded(const Matrix& matrix, int64_t batch, int64_t rows, int64_t columns) {
  std::vector<float> out(rows * columns);
#pragma omp parallel for
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      out[r * columns + c] = load(matrix.data, matrix.dtype, batch * matrix.stride + r * matrix.ld + c);
  return out;
}

Status run(const Gemm& g) {
  for (int64_t b = 0; b < g.batch; ++b) {
    const auto left = g.transpose_a ? loaded(g.a, b, g.k, g.m) : loaded(g.a, b, g.m, g.k);
    const auto right = g.transpose_b ? loaded(g.b, b, g.n, g.k) : loaded(g.b, b, g.k, g.n);
    std::vector<float> product(g.m * g.n, 0.0f);
    if (g.k > 0) {
      const Status status =
          cpu::run_gemm({g.transpose_a, g.transpose_b, g.m, g.n, g.k, left.data(), g.transpose_a ? g.m : g.k,
                         right.data(), g.transpose_b ? g.k : g.n, product.data(), g.n, g.alpha});
      if (!status.ok()) return status;
    }
#pragma omp parallel for
    for (int64_t r = 0; r < g.m; ++r)
      for (int64_t c = 0; c < g.n; ++c) {
        float v = product[r * g.n + c];
        if (g.c.data) v += load(g.c.data, g.c.dtype, b * g.c.stride + r * g.c.ld + c);
        if (g.bias) v += load(g.bias, g.d.dtype, b * g.bias_stride + c);
        store(g.d.data, g.d.dtype, b * g.d.stride + r * g.d.ld + c, g.relu && v < 0 ? 0 : v);
      }
  }
  return {};
}

// What a place of the output reads, [kh, kw, C]: body(offset among these, element of x).
template <class Body>
void each_tap(const Convolution& c, int64_t place, const Body& body) {
  const int64_t n = place / (c.out_h * c.out_w), oy = place / c.out_w % c.out_h, ox = place % c.out_w;
  for (int64_t ky = 0; ky < c.kh; ++ky)
    for (int64_t kx = 0; kx < c.kw; ++kx) {
      const int64_t y = oy * c.stride[0] - c.padding[0] + ky * c.dilation[0],
                    x = ox * c.stride[1] - c.padding[1] + kx * c.dilation[1];
      if (y >= 0 && y < c.h && x >= 0 && x < c.w)
        body((ky * c.kw + kx) * c.c, ((n * c.h + y) * c.w + x) * c.c);
    }
}

void gather(const Convolution& c, const void* x, int64_t place, float* to) {
  each_tap(c, place, [&](int64_t at, int64_t from) {
    for (int64_t i = 0; i < c.c; ++i) to[at + i] = load(x, c.dtype, from + i);
  });
}

// By im2col, a few rows of the output at a time.
class Plan final : public ConvolutionPlan {
 public:
  explicit Plan(const Convolution& c) : c_(c) {}
  size_t workspace_bytes() const override { return 0; }
  Status run(Stream& stream, const ConvolutionData& data) override {
    if (c_.dtype != DType::f32) return stream.submit([c = c_, data] { return compute(c, data); });
    // In two steps, as where cuDNN has no fused form; in half precision that would round twice.
    Convolution product = c_;
    product.residual = product.relu = false;
    ConvolutionData plain = data;
    plain.bias = nullptr;
    const Status status = stream.submit([product, plain] { return compute(product, plain); });
    return status.ok() ? finish_convolution(stream, c_, data) : status;
  }

 private:
  static Status compute(const Convolution& c, const ConvolutionData& data) {
    const int64_t k = c.kh * c.kw * c.c, places = c.n * c.out_h * c.out_w;
    const int64_t chunk = std::max<int64_t>(1, (int64_t{4} << 20) / std::max<int64_t>(k, 1));
    const auto weight = loaded({const_cast<void*>(data.weight), c.dtype, k, 0}, 0, c.o, k);
    std::vector<float> columns, product;
    for (int64_t first = 0; first < places; first += chunk) {
      const int64_t rows = std::min(chunk, places - first);
      columns.assign(rows * k, 0.0f);
      product.resize(rows * c.o);
#pragma omp parallel for
      for (int64_t r = 0; r < rows; ++r) gather(c, data.x, first + r, columns.data() + r * k);
      const Status status = cpu::run_gemm(
          {false, true, rows, c.o, k, columns.data(), k, weight.data(), k, product.data(), c.o});
      if (!status.ok()) return status;
#pragma omp parallel for
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t o = 0; o < c.o; ++o) {
          float v = product[r * c.o + o];
          if (c.residual) v += load(data.residual, c.dtype, (first + r) * c.o + o);
          if (data.bias) v += load(data.bias, c.dtype, o);
          store(data.y, c.dtype, (first + r) * c.o + o, c.relu && v < 0 ? 0 : v);
        }
    }
    return {};
  }

  Convolution c_;
};

// By im2col too: dx from the columns' gradient, dweight one image at a time.
class GradientPlan final : public ConvolutionGradientPlan {
 public:
  explicit GradientPlan(const Convolution& c) : c_(c) {}
  size_t workspace_bytes() const override { return 0; }
  Status run(Stream& stream, const ConvolutionGradientData& data) override {
    return stream.submit([c = c_, data] { return compute(c, data); });
  }

 private:
  static Status compute(const Convolution& c, const ConvolutionGradientData& d) {
    const int64_t k = c.kh * c.kw * c.c, places = c.out_h * c.out_w;
    std::vector<float> columns(places * k), dx(c.h * c.w * c.c), dweight(d.dweight ? c.o * k : 0);
    std::vector<float> weight;
    if (d.dx) weight = loaded({const_cast<void*>(d.weight), c.dtype, k, 0}, 0, c.o, k);
    for (int64_t n = 0; n < c.n; ++n) {
      const auto grad = loaded({const_cast<void*>(d.grad), c.dtype, c.o, places * c.o}, n, places, c.o);
      if (d.dweight) {
        std::fill(columns.begin(), columns.end(), 0.0f);
#pragma omp parallel for
        for (int64_t p = 0; p < places; ++p) gather(c, d.x, n * places + p, columns.data() + p * k);
        const Status status = cpu::run_gemm(
            {true, false, c.o, k, places, grad.data(), c.o, columns.data(), k, dweight.data(), k, 1, 1});
        if (!status.ok()) return status;
      }
      if (!d.dx) continue;
      const Status status = cpu::run_gemm(
          {false, false, places, k, c.o, grad.data(), c.o, weight.data(), k, columns.data(), k});
      if (!status.ok()) return status;
      std::fill(dx.begin(), dx.end(), 0.0f);
      for (int64_t p = 0; p < places; ++p)
        each_tap(c, p, [&](int64_t at, int64_t to) {
          for (int64_t i = 0; i < c.c; ++i) dx[to + i] += columns[p * k + at + i];
        });
      for (size_t i = 0; i < dx.size(); ++i) store(d.dx, c.dtype, n * dx.size() + i, dx[i]);
    }
    for (size_t i = 0; i < dweight.size(); ++i) store(d.dweight, c.dtype, i, dweight[i]);
    return {};
  }

  Convolution c_;
};

}  // namespace

Status gemm(Stream& stream, const Gemm& g) {
  return stream.submit([g] { return run(g); });
}

Result<std::unique_ptr<ConvolutionPlan>> plan_convolution(Stream&, const Convolution& convolution) {
  return std::unique_ptr<ConvolutionPlan>(new Plan(convolution));
}

Result<std::unique_ptr<ConvolutionGradientPlan>> plan_convolution_gradient(Stream&,
                                                                           const Convolution& convolution,
                                                                           bool, bool) {
  return std::unique_ptr<ConvolutionGradientPlan>(new GradientPlan(convolution));
}

size_t sort_workspace_bytes(int64_t) {
  return 0;
}

Status sort_keys(Stream& stream, const uint64_t* in, uint64_t* out, int64_t count, int first, int last,
                 void*) {
  return stream.submit([=] {
    const uint64_t below = last == 64 ? ~uint64_t{0} : (uint64_t{1} << last) - 1;
    std::copy_n(in, count, out);
    std::stable_sort(out, out + count,
                     [=](uint64_t a, uint64_t b) { return (a & below) >> first < (b & below) >> first; });
    return Status{};
  });
}

}  // namespace nlrcnn::cuda
