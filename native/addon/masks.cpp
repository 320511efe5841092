#include "addon/masks.h"
namespace nlrcnn::addon { void export_masks(Napi::Env, Napi::Object) {} }
