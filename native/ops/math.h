#pragma once
#include <cstdint>
#include <cstring>

#include "core/hd.h"

namespace nlrcnn {

// exp for loops that the compiler vectorises; within 2 ulp of expf, and 0 below -87.3.
NLRCNN_HD inline float exp_poly(float x) {
  const float kMagic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
  const float clamped = x < -87.3f ? -87.3f : x > 88.3f ? 88.3f : x;
  const float shifted = clamped * 1.44269504f + kMagic, n = shifted - kMagic;
  const float r = (clamped - n * 0.693145752f) - n * 1.42860677e-6f;
  float p = 1.98756915e-4f;
  p = p * r + 1.39819995e-3f;
  p = p * r + 8.33345191e-3f;
  p = p * r + 4.16657962e-2f;
  p = p * r + 1.66666657e-1f;
  p = p * r + 5.00000012e-1f;
  p = p * r * r + r + 1.0f;
  // The low bits of `shifted` are those of n as an integer; NaN has some, too, where a cast would have no
  // meaning.
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return x < -87.3f ? 0.0f : p * power;
}

}  // namespace nlrcnn
