#include "fuzz/data.h"

// A target with a fault, which the fuzzer must find before what it says of the others counts.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  nlrcnn::fuzz::Data data(bytes, size);
  if (data.byte() != 'n' || data.byte() != 'l') return 0;
  volatile int count = 4;
  auto* values = new volatile int[static_cast<size_t>(count)]();
  const int beyond = values[count];
  delete[] values;
  return beyond & 0;
}
