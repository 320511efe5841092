#pragma once
#include <cstdint>
#include <cstring>

#include "core/hd.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

// The 16-bit floats of activations, on the GPU and in its emulation.
namespace nlrcnn::cuda {

#ifdef __CUDACC__
using Half = __half;
using Bfloat16 = __nv_bfloat16;

NLRCNN_HD inline float to_float(Half v) {
  return __half2float(v);
}
NLRCNN_HD inline float to_float(Bfloat16 v) {
  return __bfloat162float(v);
}
template <class T>
NLRCNN_HD inline T from_float(float v);
template <>
NLRCNN_HD inline Half from_float<Half>(float v) {
  return __float2half_rn(v);
}
template <>
NLRCNN_HD inline Bfloat16 from_float<Bfloat16>(float v) {
  return __float2bfloat16_rn(v);
}
#else
struct Half {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

inline float to_float(Half v) {
  _Float16 value;
  std::memcpy(&value, &v, sizeof value);
  return static_cast<float>(value);
}
inline float to_float(Bfloat16 v) {
  const uint32_t bits = static_cast<uint32_t>(v.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
inline T from_float(float v);
template <>
inline Half from_float<Half>(float v) {
  const _Float16 value = static_cast<_Float16>(v);
  Half out;
  std::memcpy(&out, &value, sizeof out);
  return out;
}
template <>
inline Bfloat16 from_float<Bfloat16>(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  if (v != v) return {0x7fff};
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
#endif

NLRCNN_HD inline float to_float(float v) {
  return v;
}
template <>
NLRCNN_HD inline float from_float<float>(float v) {
  return v;
}

NLRCNN_HD inline uint32_t bits_of(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}
NLRCNN_HD inline float float_of(uint32_t bits) {
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

// Rises where the value falls; NaN counts as the largest, as in torch.
NLRCNN_HD inline uint32_t falling_key(float value) {
  if (value != value) return 0;
  const uint32_t bits = bits_of(value == 0 ? 0.0f : value);
  return bits >> 31 ? bits : ~(bits | 0x80000000u);
}
// The value of a key, but for NaN.
NLRCNN_HD inline float value_of_key(uint32_t key) {
  return float_of(key >> 31 ? key : ~key & 0x7fffffffu);
}

// 16 bytes of values: what a thread reads and writes at once.
template <class T>
struct alignas(16) Pack {
  static constexpr int kSize = 16 / sizeof(T);
  T values[kSize];
};

}  // namespace nlrcnn::cuda
