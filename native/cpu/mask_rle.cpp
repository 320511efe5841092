#include "ops/mask_rle.h"

#include <cstring>

#include "cpu/kernels.h"
#include "cpu/onednn.h"
#include "cpu/paste.h"
#include "masks/rle.h"

namespace nlrcnn::cpu {
namespace {

class MaskRle : public Kernel {
 public:
  explicit MaskRle(const OpCall& call) : rows_(call.in[0].shape[0]), side_(call.in[0].shape[1]) {
    paste_masks::read_settings(call, &settings_);
  }

  Status run(RunContext& context) override {
    const auto* geometry = context.in[3].as<Geometry>();
    const int64_t rows = valid_rows(context.in[2], rows_),
                  height = geometry ? pixels_of(geometry->height) : settings_.height,
                  width = geometry ? pixels_of(geometry->width) : settings_.width;
    if (Status s = mask_rle::check_size(height, width); !s.ok()) return s;
    std::vector<std::string> texts(rows);
#pragma omp parallel for schedule(dynamic)
    for (int64_t k = 0; k < rows; ++k) {
      MaskColumns mask(context.in[0].as<float>() + k * side_ * side_, side_, context.in[1].as<Box>()[k],
                       height, width, static_cast<float>(settings_.threshold));
      RunWriter runs;
      for (int64_t x = mask.first(); x < mask.last(); ++x)
        mask.column(x, [&](int64_t from, int64_t to) { runs.add(x * height + from, x * height + to); });
      append_rle_string(runs.finish(height * width), &texts[k]);
    }
    int64_t bytes = 0;
    for (const std::string& text : texts) bytes += static_cast<int64_t>(text.size());
    if (Status status = context.allocate(0, {bytes}); !status.ok()) return status;
    if (Status status = context.allocate(1, {rows + 1}); !status.ok()) return status;
    int32_t at = 0, *offsets = context.out[1].as<int32_t>();
    for (int64_t k = 0; k < rows; ++k) {
      offsets[k] = at;
      std::memcpy(context.out[0].as<char>() + at, texts[k].data(), texts[k].size());
      at += static_cast<int32_t>(texts[k].size());
    }
    offsets[rows] = at;
    return {};
  }

 private:
  int64_t rows_, side_;
  paste_masks::Settings settings_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_mask_rle(const OpCall& call, int) {
  return std::unique_ptr<Kernel>(new MaskRle(call));
}

}  // namespace nlrcnn::cpu
