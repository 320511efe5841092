#pragma once
#include "core/op.h"

namespace nlrcnn {

// A value of a graph: an input, a tensor from outside (storage set), or what a step makes.
struct Value {
  TensorDesc desc;
  std::shared_ptr<Storage> storage;
  int input = -1;
  bool partial = false;  // an input that may hold fewer bytes than its shape says
};

struct Step {
  OpCall call;
  std::vector<int> in, out;  // indices of values; -1 for an absent optional input
};

// Op calls in order, checked as they are added.
class Graph {
 public:
  int input(TensorDesc desc, bool partial = false);
  int external(const Tensor& tensor);
  // Checks the call and adds it, with a reorder before it where an input's layout is not the one that the op
  // wants.
  Result<std::vector<int>> op(const std::string& name, std::vector<int> in, Attrs attrs);
  // The value itself, or its reordering.
  int in_layout(int value, Layout layout, DType dtype);
  // As a user reads it: row-major, float32 where it is an activation.
  int readable(int value);

  Target target;

  std::vector<Value> values;
  std::vector<Step> steps;
  int input_count = 0;

 private:
  int add(Value value);
};

}  // namespace nlrcnn
