#include "ops/paste_masks.h"

#include <cstring>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/paste.h"

namespace nlrcnn::cpu {
namespace {

class PasteMasks : public Kernel {
 public:
  explicit PasteMasks(const OpCall& call) : rows_(call.in[0].shape[0]), side_(call.in[0].shape[1]) {
    paste_masks::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const int64_t rows = valid_rows(context.in[2], rows_), height = settings_.height, width = settings_.width;
    uint8_t* out = context.out[0].as<uint8_t>();
    std::memset(out, 0, rows_ * height * width);
#pragma omp parallel for schedule(dynamic)
    for (int64_t k = 0; k < rows; ++k) {
      MaskColumns mask(context.in[0].as<float>() + k * side_ * side_, side_, context.in[1].as<Box>()[k],
                       height, width, static_cast<float>(settings_.threshold));
      uint8_t* bitmap = out + k * height * width;
      for (int64_t x = mask.first(); x < mask.last(); ++x)
        mask.column(x, [&](int64_t from, int64_t to) {
          for (int64_t y = from; y < to; ++y) bitmap[y * width + x] = 1;
        });
    }
    return {};
  }

 private:
  int64_t rows_, side_;
  paste_masks::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_paste_masks(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new PasteMasks(call));
}

}  // namespace nlrcnn::cpu
