#pragma once
#include "addon/js.h"

namespace nlrcnn::addon {

// Called once for each environment that loads the addon.
void init(const js::Value& exports);

}  // namespace nlrcnn::addon
