#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"

namespace nlrcnn {

enum class DType : uint8_t { f32, bf16, f16, u8, u16, i32, i64 };

size_t dtype_size(DType dtype);
inline bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}
const char* dtype_name(DType dtype);
bool parse_dtype(const std::string& name, DType* out);

// plain: row-major. blocked: 4-D activations with channels rounded up to the target's block B and zeros
// there, on the CPU [N, ceil(C/B), H, W, B], on CUDA [N, H, W, ceil(C/B)·B].
enum class Layout : uint8_t { plain, blocked };

using Shape = std::vector<int64_t>;

int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);  // "[12, 4]"

struct TensorDesc {
  DType dtype = DType::f32;
  Shape shape;  // a -1 marks a dimension that is known only after the op has run
  Layout layout = Layout::plain;

  bool dynamic() const;
  // Elements including channel padding.
  int64_t stored_elements(int block) const;
  size_t bytes(int block) const { return static_cast<size_t>(stored_elements(block)) * dtype_size(dtype); }
  bool operator==(const TensorDesc&) const = default;
};

// Memory of one tensor on one device. Filled by the device thread; `status` tells whether its producer
// failed.
class Storage {
 public:
  using Release = std::function<void(void*, size_t)>;

  Storage(void* data, size_t bytes, Release release)
      : data_(data), bytes_(bytes), release_(std::move(release)) {}
  // Without memory yet: the device gives it some when its producer runs (Device::provide).
  explicit Storage(size_t bytes) : data_(nullptr), bytes_(bytes) {}
  ~Storage() {
    if (release_) release_(data_, bytes_);
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // Unlike an address never used twice.
  const uint64_t id = next_id();

  void hold(void* data, Release release) {
    data_ = data;
    release_ = std::move(release);
  }

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

  Status status;

  // How often its values were written in place: an op that does so (an optimiser) says `changed`.
  uint64_t version() const { return version_; }
  void changed() { ++version_; }
  // Forms made of a weight (blocked, Winograd …) with the versions of all that they are made of, summed;
  // touched by the device thread only.
  struct Packed {
    std::shared_ptr<Storage> storage;
    uint64_t version;
  };
  std::map<std::string, Packed> packed;

 private:
  static uint64_t next_id();

  std::atomic<uint64_t> version_{0};
  void* data_;
  size_t bytes_;
  Release release_;
};

struct Tensor {
  TensorDesc desc;
  std::shared_ptr<Storage> storage;
};

// A form of what lies in `sources`, kept on the first of them: made by `allocate` and `make`, and by
// `make` again, in the same memory, where one of the sources has changed since. Device thread only.
Result<std::shared_ptr<Storage>> packed_form(
    const std::vector<Storage*>& sources, const std::string& form,
    const std::function<Result<std::shared_ptr<Storage>>()>& allocate,
    const std::function<Status(void*)>& make);

// Page-aligned host memory, kept on huge pages where the kernel offers them; null when there is none left.
std::shared_ptr<Storage> allocate_host(size_t bytes);

}  // namespace nlrcnn
