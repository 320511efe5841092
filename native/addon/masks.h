#pragma once
#include "addon/js.h"

namespace nlrcnn::addon {

// The rle… functions of binding.d.ts.
void export_masks(const js::Value& exports);

}  // namespace nlrcnn::addon
