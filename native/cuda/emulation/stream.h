#pragma once
#include <functional>

#include "cuda/runtime.h"

namespace nlrcnn::cuda {

struct Stream {
  bool capturing = false;
  std::vector<std::function<Status()>> captured;

  // Runs work at once, or keeps it for the executable.
  Status submit(std::function<Status()> work) {
    if (!capturing) return work();
    captured.push_back(std::move(work));
    return {};
  }
};

}  // namespace nlrcnn::cuda
