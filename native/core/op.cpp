#include "core/op.h"

namespace nlrcnn {

double Attrs::number(const std::string& name, double fallback) const {
  auto it = values_.find(name);
  const double* v = it == values_.end() ? nullptr : std::get_if<double>(&it->second);
  return v ? *v : fallback;
}

std::string Attrs::string(const std::string& name, const std::string& fallback) const {
  auto it = values_.find(name);
  const std::string* v = it == values_.end() ? nullptr : std::get_if<std::string>(&it->second);
  return v ? *v : fallback;
}

std::vector<double> Attrs::numbers(const std::string& name, std::vector<double> fallback) const {
  auto it = values_.find(name);
  if (it == values_.end()) return fallback;
  if (const double* one = std::get_if<double>(&it->second)) return {*one};
  const auto* v = std::get_if<std::vector<double>>(&it->second);
  return v ? *v : fallback;
}

std::string Attrs::key() const {
  std::string key;
  auto add = [&key](double v) { key.append(reinterpret_cast<const char*>(&v), sizeof v); };
  for (const auto& [name, value] : values_) {
    key += name + '=';
    if (const double* d = std::get_if<double>(&value)) add(*d);
    if (const std::string* s = std::get_if<std::string>(&value)) key += *s;
    if (const auto* list = std::get_if<std::vector<double>>(&value))
      for (double d : *list) add(d);
    key += ';';
  }
  return key;
}

Status RunContext::allocate(size_t output, Shape shape) {
  TensorDesc desc{out[output].desc->dtype, std::move(shape), Layout::plain};
  auto storage = allocate_host(desc.bytes(1));
  if (!storage)
    return Status::error(Code::out_of_memory,
                         "Out of memory: " + std::to_string(desc.bytes(1)) + " bytes were asked for");
  dynamic_out[output] = {desc, storage};
  out[output] = {&dynamic_out[output].desc, storage->data()};
  return {};
}

void RunContext::written(size_t input) {
  if (in_storage[input]) in_storage[input]->changed();
}

int in_place_input(const OpCall& call) {
  const bool sums = call.name == "conv2d" || call.name == "linear";
  return sums && call.has(3) && !call.target.cuda ? 3 : -1;
}

Status expected_shape(const char* what, const char* shape, const Shape& received) {
  return Status::error(Code::shape, std::string("Expected ") + what + " of shape " + shape +
                                        " but received " + to_string(received));
}

}  // namespace nlrcnn
