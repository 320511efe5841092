#pragma once
#include <napi.h>

namespace nlrcnn::addon {

// The rle… functions of binding.d.ts.
void export_masks(Napi::Env env, Napi::Object exports);

}  // namespace nlrcnn::addon
