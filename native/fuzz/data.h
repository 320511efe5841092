#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace nlrcnn::fuzz {

// What a target reads of its input, from the front; zeros behind the end.
class Data {
 public:
  Data(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  bool empty() const { return at_ == end_; }
  uint8_t byte() { return at_ == end_ ? 0 : *at_++; }

  // Within 0 … most.
  uint64_t upto(uint64_t most) {
    uint64_t value = byte();
    for (uint64_t rest = most >> 8; rest != 0; rest >>= 8) value = value << 8 | byte();
    return most == UINT64_MAX ? value : value % (most + 1);
  }
  int64_t within(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(upto(static_cast<uint64_t>(high - low)));
  }
  // True once in `of` times.
  bool chance(int of) { return byte() % of == of - 1; }

  // Mostly numbers as they occur around `size`, sometimes what nobody expects.
  double real(double size) {
    switch (byte() % 8) {
      case 0:
        return static_cast<double>(within(-4, 4));
      case 1:
        return static_cast<double>(within(0, static_cast<int64_t>(size)));
      case 2:
        return odd();
      default:
        return (static_cast<double>(upto(65535)) / 65535 * 1.5 - 0.25) * size;
    }
  }
  // Numbers at the edges of what types hold.
  double odd() {
    constexpr double kOdd[] = {0,
                               -0.0,
                               1e-45,
                               -1,
                               0.5,
                               1e9,
                               -1e9,
                               2147483648.0,
                               -2147483649.0,
                               4294967296.0,
                               1e19,
                               -1e19,
                               3e38,
                               1e308,
                               -1e308,
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()};
    return kOdd[byte() % (sizeof kOdd / sizeof *kOdd)];
  }

  std::string_view rest() {
    const std::string_view text(reinterpret_cast<const char*>(at_), end_ - at_);
    at_ = end_;
    return text;
  }

 private:
  const uint8_t *at_, *end_;
};

// Ends the process, which the fuzzer reports with the input, where a property does not hold.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace nlrcnn::fuzz
