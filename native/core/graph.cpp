#include "core/graph.h"

#include <algorithm>

namespace nlrcnn {
namespace {

// In double, as the product itself may not fit.
bool too_large(const Shape& shape) {
  double count = 1;
  for (int64_t dimension : shape) count *= static_cast<double>(std::max<int64_t>(dimension, 1));
  return count > static_cast<double>(int64_t{1} << 40);
}

}  // namespace

int Graph::add(Value value) {
  values.push_back(std::move(value));
  return static_cast<int>(values.size()) - 1;
}

int Graph::input(TensorDesc desc, bool partial) {
  return add({std::move(desc), nullptr, input_count++, partial});
}

int Graph::external(const Tensor& tensor) {
  return add({tensor.desc, tensor.storage, -1});
}

int Graph::in_layout(int value, Layout layout, DType dtype) {
  const TensorDesc from = values[value].desc;
  if (from.layout == layout && from.dtype == dtype) return value;
  const TensorDesc to{dtype, from.shape, layout};
  const int out = add({to, nullptr, -1});
  steps.push_back({{"reorder", {}, {from}, {to}, {true}, target}, {value}, {out}});
  return out;
}

int Graph::readable(int value) {
  const DType dtype = values[value].desc.dtype;
  return in_layout(value, Layout::plain, is_float(dtype) ? DType::f32 : dtype);
}

Result<std::vector<int>> Graph::op(const std::string& name, std::vector<int> in, Attrs attrs) {
  const OpContract* contract = find_contract(name);
  if (!contract) return Status::error(Code::argument, "Expected the name of an op but received " + name);
  if (contract->inputs && in.size() > contract->inputs)
    return Status::error(Code::argument, "Expected at most " + std::to_string(contract->inputs) +
                                             " inputs of " + name + " but received " +
                                             std::to_string(in.size()));
  in.resize(std::max(in.size(), contract->inputs), -1);
  OpCall call{name, std::move(attrs), {}, {}, {}, target};
  for (int value : in) {
    call.present.push_back(value >= 0);
    call.in.push_back(value >= 0 ? values[value].desc : TensorDesc{});
    if (value >= 0 && call.in.back().dynamic())
      return Status::error(Code::unsupported, "Expected inputs of " + name +
                                                  " whose shape is known but received " +
                                                  to_string(call.in.back().shape));
    if (value >= 0 && too_large(call.in.back().shape))
      return Status::error(Code::shape, "Expected inputs of " + name + " below 2^40 values but received " +
                                            to_string(call.in.back().shape));
  }
  auto checked = contract->infer(call);
  if (!checked.ok()) return checked.status();
  for (const TensorDesc& desc : checked.value())
    if (too_large(desc.shape))
      return Status::error(Code::shape, "Expected outputs of " + name +
                                            " below 2^40 values but its shape would be " +
                                            to_string(desc.shape));
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i] < 0) continue;
    const TensorDesc& desc = call.in[i];
    if (!is_float(desc.dtype)) continue;
    const Wants wants = contract->wants(call, i);
    Layout layout = Layout::plain;
    if (wants == Wants::any) layout = desc.layout;
    if (wants == Wants::blocked && desc.shape.size() == 4) layout = Layout::blocked;
    in[i] = in_layout(in[i], layout, wants == Wants::plain ? DType::f32 : target.compute);
    call.in[i] = values[in[i]].desc;
  }
  // Once more, as an output's layout may follow an input's.
  auto outputs = contract->infer(call);
  if (!outputs.ok()) return outputs.status();
  call.out = outputs.value();
  std::vector<int> out;
  for (const TensorDesc& desc : call.out) out.push_back(add({desc, nullptr, -1}));
  steps.push_back({std::move(call), std::move(in), out});
  return out;
}

}  // namespace nlrcnn
