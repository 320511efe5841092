#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "cpu/onednn.h"
#include "fuzz/calls.h"
#include "fuzz/run_graph.h"

// Calls of every op through the graph's checks; those that are let through and are small run on the CPU's
// kernels. A contract that takes what its kernel cannot is found by the sanitizers.
namespace nlrcnn::fuzz {
namespace {

constexpr double kMostBytes = 1 << 20;  // of all values of a call that is run

// With NLRCNN_FUZZ_TALLY set, says at the end how many calls of each op its contract refused, its kernel
// refused, were too large to run, and ran: a target that runs nothing finds nothing.
class Tally {
 public:
  enum Kind { refused, failed, large, ran };

  void count(const std::string& op, Kind kind) { ++counts_[op][kind]; }
  ~Tally() {
    if (!std::getenv("NLRCNN_FUZZ_TALLY")) return;
    for (const auto& [op, kinds] : counts_)
      std::fprintf(stderr, "tally %s: %ld refused, %ld failed, %ld large, %ld ran\n", op.c_str(),
                   kinds[refused], kinds[failed], kinds[large], kinds[ran]);
  }

 private:
  std::map<std::string, std::array<long, 4>> counts_;
};

Tally tally;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint32_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33);
  }
  // Within -1 … 1.
  float unit() { return static_cast<float>(next() % 2001) / 1000 - 1; }

 private:
  uint64_t state_;
};

float odd_float(Data& data) {
  return static_cast<float>(data.odd());
}

void fill_floats(const Argument& argument, Data& data, float* to, int64_t count) {
  Random random(data.upto(UINT32_MAX));
  const float size = data.chance(4) ? 1000 : 10;
  for (int64_t i = 0; i < count; ++i) {
    to[i] = random.unit();
    if (argument.values == Values::geometry) to[i] = static_cast<float>(1 + random.next() % 16);
    if (argument.values == Values::boxes) {
      // x1, y1, x2, y2, behind an index where there are five columns.
      const int64_t columns = argument.desc.shape.empty() ? 4 : argument.desc.shape.back(), at = i % columns;
      to[i] = size * (to[i] + 1) / 2;
      if (columns == 5 && at == 0) to[i] = static_cast<float>(random.next() % 3);
      if (at + 2 >= columns && i >= 2) to[i] += to[i - 2];
    }
  }
  for (int64_t n = data.chance(4) && count > 0 ? data.within(1, 3) : 0; n > 0; --n)
    to[random.next() % count] = odd_float(data);
}

void fill_integers(const Argument& argument, Data& data, int32_t* to, int64_t count) {
  Random random(data.upto(UINT32_MAX));
  const uint32_t most = data.chance(3) ? 40 : 4;
  for (int64_t i = 0; i < count; ++i)
    to[i] = static_cast<int32_t>(random.next() % most) - (most == 4 ? 0 : 1);
  const int32_t odd[] = {INT32_MIN, INT32_MAX, -1, 1 << 30};
  if (data.chance(6) && count > 0) to[random.next() % count] = odd[data.byte() % std::size(odd)];
  // Windows of mask_targets: sizes above 0, an offset that mostly fits.
  if (argument.desc.shape.size() == 2 && argument.desc.shape[1] == 9)
    for (int64_t i = 0; i < count; ++i)
      if (i % 9 > 2 && to[i] < 100) ++to[i];
}

std::shared_ptr<Storage> filled(const Argument& argument, Data& data) {
  auto storage = exact_storage(argument.desc.bytes(1));
  const int64_t count = element_count(argument.desc.shape);
  if (argument.desc.dtype == DType::f32)
    fill_floats(argument, data, static_cast<float*>(storage->data()), count);
  else if (argument.desc.dtype == DType::i32)
    fill_integers(argument, data, static_cast<int32_t*>(storage->data()), count);
  else
    for (size_t i = 0; i < storage->bytes(); ++i) static_cast<uint8_t*>(storage->data())[i] = data.byte() & 1;
  return storage;
}

double bytes_of(const TensorDesc& desc) {
  double bytes = 8;
  for (int64_t size : desc.shape) bytes *= static_cast<double>(std::max<int64_t>(size, 1));
  return desc.layout == Layout::blocked ? bytes * 16 : bytes;
}

void describe(const Graph& graph, const Status& status) {
  const OpCall& call = graph.steps.back().call;
  std::fprintf(stderr, "%s: %s\n", call.name.c_str(), status.message.c_str());
  for (size_t i = 0; i < call.in.size(); ++i)
    if (call.has(i)) std::fprintf(stderr, "  %s\n", to_string(call.in[i].shape).c_str());
}

void run(const Call& call, Data& data) {
  Graph graph;
  graph.target.block = cpu::channel_block();
  std::vector<int> in, given;
  for (const Argument& argument : call.in) {
    int value = -1;
    given.push_back(value);
    if (argument.present) {
      value = graph.external({argument.desc, nullptr});
      given.back() = value;
      if (argument.blocked) value = graph.in_layout(value, Layout::blocked, DType::f32);
    }
    in.push_back(value);
  }
  auto out = graph.op(call.name, in, call.attrs);
  if (!out.ok()) {
    require(!out.status().message.empty(), "what is refused is refused with words");
    return tally.count(call.name, Tally::refused);
  }
  double bytes = 0;
  for (const Value& value : graph.values) bytes += bytes_of(value.desc);
  if (bytes > kMostBytes) return tally.count(call.name, Tally::large);
  for (size_t i = 0; i < call.in.size(); ++i)
    if (call.in[i].present) graph.values[given[i]].storage = filled(call.in[i], data);
  std::vector<Tensor> made;
  const Status status = run_graph(graph, &made);
  if (!status.ok()) {
    if (status.code == Code::internal || std::getenv("NLRCNN_FUZZ_TALLY")) describe(graph, status);
    require(!status.message.empty() && status.code != Code::internal, "a kernel refuses with words");
    return tally.count(call.name, Tally::failed);
  }
  tally.count(call.name, Tally::ran);
  for (int v : out.value()) require(made[v].storage != nullptr, "each output is made");
}

}  // namespace
}  // namespace nlrcnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace nlrcnn::fuzz;
  Data data(bytes, size);
  run(make_call(data), data);
  return 0;
}
