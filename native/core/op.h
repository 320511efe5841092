#pragma once
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/status.h"
#include "core/target.h"

namespace nlrcnn {

// Settings of one op call, as TypeScript passed them (lib/ops gives them their types).
class Attrs {
 public:
  using Value = std::variant<double, std::string, std::vector<double>>;

  void set(std::string name, Value value) { values_[std::move(name)] = std::move(value); }
  double number(const std::string& name, double fallback) const;
  int64_t integer(const std::string& name, int64_t fallback) const {
    return static_cast<int64_t>(number(name, static_cast<double>(fallback)));
  }
  bool flag(const std::string& name) const { return number(name, 0) != 0; }
  std::string string(const std::string& name, const std::string& fallback) const;
  std::vector<double> numbers(const std::string& name, std::vector<double> fallback) const;
  std::string key() const;  // equal for equal settings

 private:
  std::map<std::string, Value> values_;
};

// One call of an op before it runs. A missing optional input has an empty shape-less desc and present[i] ==
// false.
struct OpCall {
  std::string name;
  Attrs attrs;
  std::vector<TensorDesc> in, out;
  std::vector<bool> present;
  Target target;

  bool has(size_t i) const { return i < present.size() && present[i]; }
};

// What an op needs of an input; the graph inserts a reorder where it does not fit. Floats of `plain` are
// float32 (weights, boxes, scores), those of the others the target's activations: `blocked` where they have
// four dimensions, `activation` row-major, `any` in either layout.
enum class Wants : uint8_t { plain, blocked, activation, any };

// The contract of an op (native/ops/NAME.h): checks arguments, gives the outputs' descs. Shared by all
// backends.
struct OpContract {
  const char* name;
  size_t inputs;  // 0: any number
  Wants (*wants)(const OpCall& call, size_t input);
  Result<std::vector<TensorDesc>> (*infer)(const OpCall& call);
};

struct View {
  const TensorDesc* desc = nullptr;
  void* data = nullptr;
  size_t bytes = SIZE_MAX;  // of a plan's input that may hold fewer than its shape says, what there are

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  explicit operator bool() const { return data != nullptr; }
};

// Handed to a kernel on the device thread.
struct RunContext {
  std::vector<View> in, out;
  std::vector<Storage*> in_storage;  // of weights that stay the same between runs; else null
  void* workspace = nullptr;
  // Of CUDA kernels: their cuda::Stream, and the place of two int32 where they report faults.
  void *stream = nullptr, *faults = nullptr;
  // Outputs with a -1 dimension are allocated by the kernel: fills out[i].
  std::vector<Tensor> dynamic_out;
  Status allocate(size_t output, Shape shape);
  // Says that the kernel wrote an input in place, so that what was packed of it is made anew.
  void written(size_t input);
};

// An op made ready for fixed shapes on one backend.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual size_t workspace_bytes() const { return 0; }
  virtual Status run(RunContext& context) = 0;
  // CUDA: most elements of a dynamic output, behind a header of 16 bytes whose first int32 says how many
  // there are.
  virtual int64_t capacity(size_t) const { return 0; }
  // CUDA: makes room for as many after a run that said so; false where it cannot.
  virtual bool grow(size_t, int64_t) { return false; }
};

// A backend's constructor of a kernel; `block` is the device's channel block.
using KernelFactory = Result<std::unique_ptr<Kernel>> (*)(const OpCall& call, int block);

const OpContract* find_contract(const std::string& name);
std::vector<std::string> op_names();

// The input whose memory the output may take over (a residual), or -1.
int in_place_input(const OpCall& call);

// Shape messages all read alike: "Expected rois of shape [K, 5] but received [12, 4]".
Status expected_shape(const char* what, const char* shape, const Shape& received);

}  // namespace nlrcnn
