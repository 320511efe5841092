#include "ops/concat.h"

#include <cstring>

#include "cpu/kernels.h"

namespace nlrcnn::cpu {
namespace {

// Rows lie one after another in either layout.
class Concat : public Kernel {
 public:
  Concat(const OpCall& call, int block) {
    for (const TensorDesc& in : call.in) bytes_.push_back(in.bytes(block));
  }

  Status run(RunContext& context) override {
    char* to = context.out[0].as<char>();
    for (size_t i = 0; i < bytes_.size(); to += bytes_[i++])
      if (bytes_[i]) std::memcpy(to, context.in[i].data, bytes_[i]);
    return {};
  }

 private:
  std::vector<size_t> bytes_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_concat(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new Concat(call, block));
}

}  // namespace nlrcnn::cpu
