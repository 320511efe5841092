#include "core/tensor.h"

#include <sys/mman.h>

#include <cstdlib>

namespace nlrcnn {

size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::bf16:
    case DType::f16:
    case DType::u16:
      return 2;
    case DType::u8:
      return 1;
    case DType::i64:
      break;
  }
  return 8;
}

static constexpr const char* kDtypeNames[] = {"float32", "bfloat16", "float16", "uint8",
                                              "uint16",  "int32",    "int64"};

const char* dtype_name(DType dtype) {
  return kDtypeNames[static_cast<int>(dtype)];
}

bool parse_dtype(const std::string& name, DType* out) {
  for (int i = 0; i < 7; ++i) {
    if (name == kDtypeNames[i]) {
      *out = static_cast<DType>(i);
      return true;
    }
  }
  return false;
}

int64_t element_count(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

std::string to_string(const Shape& shape) {
  std::string s = "[";
  for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + "]";
}

bool TensorDesc::dynamic() const {
  for (int64_t d : shape)
    if (d < 0) return true;
  return false;
}

int64_t TensorDesc::stored_elements(int block) const {
  if (layout == Layout::plain) return element_count(shape);
  return shape[0] * ((shape[1] + block - 1) / block * block) * shape[2] * shape[3];
}

namespace {

constexpr size_t kMapFrom = 1 << 20;  // smaller blocks come from malloc

void release_map(void* data, size_t bytes) {
  munmap(data, bytes);
}
void release_heap(void* data, size_t) {
  std::free(data);
}

}  // namespace

uint64_t Storage::next_id() {
  static std::atomic<uint64_t> next{0};
  return next++;
}

Result<std::shared_ptr<Storage>> packed_form(
    const std::vector<Storage*>& sources, const std::string& form,
    const std::function<Result<std::shared_ptr<Storage>>()>& allocate,
    const std::function<Status(void*)>& make) {
  std::string key = form;
  uint64_t version = 0;
  for (const Storage* source : sources) {
    version += source->version();
    if (source != sources[0]) key += ' ' + std::to_string(source->id);
  }
  auto& forms = sources[0]->packed;
  auto found = forms.find(key);
  if (found != forms.end() && found->second.version == version) return found->second.storage;
  std::shared_ptr<Storage> storage;
  if (found != forms.end()) {
    storage = found->second.storage;
  } else {
    auto made = allocate();
    if (!made.ok()) return made.status();
    storage = std::move(made.value());
  }
  if (Status status = make(storage->data()); !status.ok()) return status;
  storage->changed();
  forms[key] = {storage, version};
  return storage;
}

std::shared_ptr<Storage> allocate_host(size_t bytes) {
  if (bytes < kMapFrom) {
    void* data = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
    return data ? std::make_shared<Storage>(data, bytes, release_heap) : nullptr;
  }
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  madvise(data, bytes, MADV_HUGEPAGE);
  return std::make_shared<Storage>(data, bytes, release_map);
}

}  // namespace nlrcnn
