#include <cstdio>

#include "cuda/kernel.h"

// Runs kernels of which all but the first have a fault, and prints for each what the emulation says:
// "NAME: MESSAGE" or "NAME: ok".
namespace nlrcnn::cuda {
namespace {

constexpr int kSize = 64;

// Sums within warps by shuffles, between them through shared memory.
void correct(Span<int32_t> out) {
  NLRCNN_SHARED(float, sums, kSize / 32);
  const int t = thread_index();
  const float sum = warp_sum(static_cast<float>(t));
  if (t % 32 == 0) sums[t / 32] = sum;
  barrier();
  const float all = sums[0] + sums[1];
  if (all == kSize * (kSize - 1) / 2) atomic_add(out, 0, 1);
}

void two_writes(Span<int32_t>) {
  NLRCNN_SHARED(int32_t, one, 1);
  one[0] = thread_index();
}

void read_beside_write(Span<int32_t> out) {
  NLRCNN_SHARED(int32_t, values, kSize);
  const int t = thread_index();
  values[t] = t;
  out[t] = values[(t + 1) % kSize];  // no barrier
}

void write_beside_read(Span<int32_t> out) {
  NLRCNN_SHARED(int32_t, values, kSize);
  const int t = thread_index();
  values[t] = t;
  barrier();
  out[t] = values[(t + 1) % kSize];
  values[t] = 0;  // no barrier since the neighbour may read
}

void unwritten(Span<int32_t> out) {
  NLRCNN_SHARED(int32_t, values, kSize);
  out[thread_index()] = values[thread_index()];
}

void beyond_span(Span<int32_t> out) {
  out[kSize + thread_index()] = 1;
}

void beyond_pack(Span<int32_t> out) {
  store_pack(out, 4 * thread_index() + 1, Pack<int32_t>{});
}

void beyond_shared(Span<int32_t>) {
  NLRCNN_SHARED(int32_t, values, kSize);
  values[thread_index() + 1] = 1;
}

void lost_barrier(Span<int32_t>) {
  if (thread_index() < kSize / 2) barrier();
}

void lost_shuffle(Span<int32_t> out) {
  if (thread_index() % 2) out[0] = static_cast<int32_t>(shuffle_xor(1.0f, 1));
}

void run(const char* name, void (*kernel)(Span<int32_t>)) {
  Stream stream;
  std::vector<int32_t> memory(kSize, 0);
  const Span<int32_t> out(memory.data(), memory.size());
  const Status status = launch(stream, name, {3}, kSize, kernel, out);
  const bool counted = kernel != correct || memory[0] == 3 * kSize;
  std::printf("%s: %s\n", name, !status.ok() ? status.message.c_str() : counted ? "ok" : "wrong");
}

}  // namespace
}  // namespace nlrcnn::cuda

int main() {
  using namespace nlrcnn::cuda;
  run("correct", correct);
  run("two_writes", two_writes);
  run("read_beside_write", read_beside_write);
  run("write_beside_read", write_beside_read);
  run("unwritten", unwritten);
  run("beyond_span", beyond_span);
  run("beyond_pack", beyond_pack);
  run("beyond_shared", beyond_shared);
  run("lost_barrier", lost_barrier);
  run("lost_shuffle", lost_shuffle);
}
