#pragma once
#include <cmath>

#include "core/hd.h"

// Arithmetic on boxes in torchvision's order of operations, float32.
namespace nlrcnn {

struct Box {
  float x1, y1, x2, y2;
};

NLRCNN_HD inline float clamp_to(float v, float high) {
  return v < 0 ? 0.0f : v > high ? high : v;
}

NLRCNN_HD inline Box clip_box(const Box& b, float height, float width) {
  return {clamp_to(b.x1, width), clamp_to(b.y1, height), clamp_to(b.x2, width), clamp_to(b.y2, height)};
}

// remove_small_boxes keeps what is at least `least` wide and high.
NLRCNN_HD inline bool box_large_enough(const Box& b, float least) {
  return b.x2 - b.x1 >= least && b.y2 - b.y1 >= least;
}

// BoxCoder.decode_single; `weights` of dx, dy, dw, dh.
NLRCNN_HD inline Box decode_box(const Box& box, const float* delta, const float* weights) {
  const float kClip = 4.135166556742356f;  // log(1000 / 16): a box grows at most that much
  const float width = box.x2 - box.x1, height = box.y2 - box.y1;
  const float x = box.x1 + 0.5f * width, y = box.y1 + 0.5f * height;
  float dw = delta[2] / weights[2], dh = delta[3] / weights[3];
  dw = dw > kClip ? kClip : dw;
  dh = dh > kClip ? kClip : dh;
  const float cx = delta[0] / weights[0] * width + x, cy = delta[1] / weights[1] * height + y;
  const float half_w = 0.5f * (expf(dw) * width), half_h = 0.5f * (expf(dh) * height);
  return {cx - half_w, cy - half_h, cx + half_w, cy + half_h};
}

}  // namespace nlrcnn
