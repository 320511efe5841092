#include "ops/box_decode.h"

#include "cpu/kernels.h"
#include "ops/boxes.h"

namespace nlrcnn::cpu {
namespace {

class BoxDecode : public Kernel {
 public:
  explicit BoxDecode(const OpCall& call) : rows_(call.in[0].shape[0]), classes_(call.in[1].shape[1] / 4) {
    read_numbers(call, "weights", 4, &weights_);
  }

  Status run(RunContext& context) override {
    for (int64_t i = 0; i < rows_; ++i)
      for (int64_t c = i * classes_; c < (i + 1) * classes_; ++c)
        context.out[0].as<Box>()[c] =
            decode_box(context.in[0].as<Box>()[i], context.in[1].as<float>() + 4 * c, weights_.data());
    return {};
  }

 private:
  int64_t rows_, classes_;
  std::vector<float> weights_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_box_decode(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new BoxDecode(call));
}

}  // namespace nlrcnn::cpu
