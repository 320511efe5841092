#pragma once
#include "ops/geometry.h"

// Normalise, bilinear resize, pad, as torchvision's GeneralizedRCNNTransform: pixels u8, u16 or f32 [H, W,
// C], C 1 or 3, geometry [8]? -> [1, 3, Hp, Wp]. With geometry the pixels are any number of values of which
// the first height · width · C are a picture.
namespace nlrcnn::preprocess {

inline constexpr size_t kInputs = 2;

struct Settings {
  int64_t output[2], padded[2];
  std::vector<float> mean, std;
  std::vector<double> percentiles;
};

inline Status read_settings(const OpCall& call, Settings* out) {
  if (Status s = read_pair(call, "padded_size", 1, 0, out->padded); !s.ok()) return s;
  out->output[0] = out->output[1] = 0;
  if (!call.has(1))
    if (Status s = read_pair(call, "output_size", 1, 0, out->output); !s.ok()) return s;
  for (int i = 0; i < 2; ++i)
    if (out->padded[i] < out->output[i])
      return Status::error(Code::argument, "Expected padded_size of preprocess to be at least output_size");
  if (Status s = read_numbers(call, "mean", 3, &out->mean); !s.ok()) return s;
  if (Status s = read_numbers(call, "std", 3, &out->std); !s.ok()) return s;
  for (float v : out->std)
    if (v == 0) return Status::error(Code::argument, "Expected std of preprocess other than 0");
  out->percentiles = call.attrs.numbers("percentiles", {});
  const auto& p = out->percentiles;
  if (!p.empty() && (p.size() != 2 || !(p[0] >= 0) || !(p[0] < p[1]) || !(p[1] <= 100)))
    return Status::error(Code::argument,
                         "Expected percentiles of preprocess to be two rising numbers within [0, 100]");
  return {};
}

inline Wants wants(const OpCall&, size_t) {
  return Wants::plain;
}

inline Result<std::vector<TensorDesc>> infer(const OpCall& call) {
  Settings settings;
  if (!call.has(0)) return Status::error(Code::argument, "Expected pixels for preprocess but received none");
  const DType dtype = call.in[0].dtype;
  if (dtype != DType::u8 && dtype != DType::u16 && dtype != DType::f32)
    return Status::error(
        Code::dtype,
        std::string("Expected pixels of dtype uint8, uint16 or float32 but received ") + dtype_name(dtype));
  const Shape& x = call.in[0].shape;
  if (x.size() != 3 || x[0] < 1 || x[1] < 1 || (x[2] != 1 && x[2] != 3))
    return expected_shape("pixels", "[H, W, 1 or 3]", x);
  if (Status s = read_settings(call, &settings); !s.ok()) return s;
  if (Status s = check_geometry(call, 1); !s.ok()) return s;
  const Layout layout = call.target.cuda ? Layout::blocked : Layout::plain;
  return std::vector<TensorDesc>{
      {call.target.compute, {1, 3, settings.padded[0], settings.padded[1]}, layout}};
}

}  // namespace nlrcnn::preprocess
