#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// An addon that does, when Node loads it, what NLRCNN_FAULT names: reads beyond its memory or overflows an
// integer. A sanitizer that lets it pass does not watch Node's addons.
extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) {
  const char* fault = std::getenv("NLRCNN_FAULT");
  if (!fault) return exports;
  volatile int size = 4;
  if (std::string_view(fault) == "bounds") {
    auto* values = static_cast<volatile int*>(std::calloc(static_cast<size_t>(size), sizeof(int)));
    std::printf("%d\n", values[size]);
    std::free(const_cast<int*>(values));
  }
  if (std::string_view(fault) == "overflow") std::printf("%d\n", INT_MAX - 3 + size);
  return exports;
}
