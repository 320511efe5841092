#include "core/status.h"

#include <new>
#include <stdexcept>

namespace nlrcnn {

const char* code_name(Code code) {
  static constexpr const char* kNames[] = {"OK",
#define NLRCNN_CODE(code, name) "ERR_NLRCNN_" name,
                                           NLRCNN_CODES(NLRCNN_CODE)
#undef NLRCNN_CODE
  };
  return kNames[static_cast<size_t>(code)];
}

std::vector<std::string> code_names() {
  std::vector<std::string> names;
#define NLRCNN_CODE(code, name) names.emplace_back(code_name(Code::code));
  NLRCNN_CODES(NLRCNN_CODE)
#undef NLRCNN_CODE
  return names;
}

Status status_of_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Status::error(Code::out_of_memory, "Out of memory");
  } catch (const std::length_error&) {
    return Status::error(Code::out_of_memory, "Out of memory: more was asked for than can be addressed");
  } catch (const std::exception& error) {
    return Status::error(Code::internal, error.what());
  } catch (...) {
    return Status::error(Code::internal, "An error of an unknown kind");
  }
}

}  // namespace nlrcnn
