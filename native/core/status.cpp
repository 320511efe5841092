#include "core/status.h"

namespace nlrcnn {

const char* code_name(Code code) {
  switch (code) {
    case Code::ok:
      return "OK";
    case Code::argument:
      return "ERR_NLRCNN_ARGUMENT";
    case Code::shape:
      return "ERR_NLRCNN_SHAPE";
    case Code::dtype:
      return "ERR_NLRCNN_DTYPE";
    case Code::disposed:
      return "ERR_NLRCNN_DISPOSED";
    case Code::image:
      return "ERR_NLRCNN_IMAGE";
    case Code::device:
      return "ERR_NLRCNN_DEVICE";
    case Code::out_of_memory:
      return "ERR_NLRCNN_OUT_OF_MEMORY";
    case Code::unsupported:
      return "ERR_NLRCNN_UNSUPPORTED";
    case Code::cancelled:
      return "ERR_NLRCNN_CANCELLED";
    case Code::internal:
      break;
  }
  return "ERR_NLRCNN_INTERNAL";
}

}  // namespace nlrcnn
