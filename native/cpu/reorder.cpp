#include "cpu/kernels.h"
#include "cpu/onednn.h"

namespace nlrcnn::cpu {
namespace {

class Reorder : public Kernel {
 public:
  Reorder(const OpCall& call, int block)
      : empty_(element_count(call.in[0].shape) == 0),
        from_(memory_desc(call.in[0], block, call.in[0].shape[0])),
        to_(memory_desc(call.out[0], block, call.in[0].shape[0])) {}

  Status run(RunContext& context) override {
    if (empty_) return {};
    return guarded("reorder", [&]() -> Status {
      dnnl::memory from(from_, engine(), context.in[0].data), to(to_, engine(), context.out[0].data);
      dnnl::reorder(from, to).execute(stream(), from, to);
      stream().wait();
      return {};
    });
  }

 private:
  bool empty_;
  dnnl::memory::desc from_, to_;
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_reorder(const OpCall& call, int block) {
  return std::unique_ptr<Kernel>(new Reorder(call, block));
}

}  // namespace nlrcnn::cpu
