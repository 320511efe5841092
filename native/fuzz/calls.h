#pragma once
#include "core/graph.h"
#include "fuzz/data.h"

namespace nlrcnn::fuzz {

// What an input's values are like.
enum class Values : uint8_t { real, boxes, whole, count, geometry };

struct Argument {
  TensorDesc desc;
  Values values = Values::real;
  bool present = true, blocked = false;  // blocked: reordered before the call
};

struct Call {
  std::string name;
  std::vector<Argument> in;
  Attrs attrs;
};

// A call of some op: mostly one whose shapes and settings fit each other, sometimes with one thing about it
// changed.
Call make_call(Data& data);

}  // namespace nlrcnn::fuzz
