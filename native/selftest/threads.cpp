#include <cstdio>
#include <cstring>
#include <string_view>

#include "core/pool.h"
#include "cpu/device.h"
#include "cuda/device.h"

// What several threads do at once with devices, plans and memory: worker_threads, of which each enqueues,
// reads and disposes while the devices' own threads run. Compiled with ThreadSanitizer, which finds races;
// beside that each test checks what came out. `thread_test --fault` has a race on purpose.
namespace nlrcnn {
namespace {

constexpr int kThreads = 4;
constexpr int64_t kRows = 3, kColumns = 40;

std::atomic<int> failures{0};

void check(bool holds, const char* what) {
  if (holds) return;
  std::printf("does not hold: %s\n", what);
  ++failures;
}

// Runs body(0) … body(kThreads - 1), each on a thread of its own.
template <class Body>
void at_once(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

// Waits for all work that it was told of, as an environment that goes down does.
class Pending {
 public:
  std::function<void()> counted(std::function<void()> work) {
    {
      std::lock_guard lock(mutex_);
      ++count_;
    }
    return [this, work = std::move(work)]() mutable {
      work();
      work = nullptr;
      std::lock_guard lock(mutex_);
      if (--count_ == 0) done_.notify_all();
    };
  }
  ~Pending() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return count_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  int count_ = 0;
};

std::vector<float> values_from(float first) {
  std::vector<float> values(kRows * kColumns);
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + static_cast<float>(i);
  return values;
}

// (x + weight) · 2
struct Recorded {
  std::shared_ptr<Storage> weight;
  std::shared_ptr<Plan> plan;
};

Recorded record(const std::shared_ptr<Device>& device) {
  const auto values = values_from(1);
  const size_t bytes = values.size() * sizeof(float);
  auto weight = device->allocate(bytes);
  check(weight.ok() && device->upload(weight.value()->data(), values.data(), bytes).ok(),
        "a weight is uploaded");
  Graph graph;
  graph.target = device->target();
  const TensorDesc desc{DType::f32, {kRows, kColumns}, Layout::plain};
  Attrs twice;
  twice.set("factor", 2.0);
  const int x = graph.input(desc), w = graph.external({desc, weight.value()});
  const int sum = graph.op("add", {x, w}, {}).value()[0];
  const int out = graph.op("scale", {sum}, twice).value()[0];
  return {weight.value(), device->make_plan(std::move(graph), {out})};
}

void check_outputs(const std::vector<Tensor>& outputs, float first) {
  check(outputs.size() == 1, "a plan gives what was asked for");
  const auto* out = static_cast<const float*>(outputs[0].storage->data());
  bool right = true;
  for (int64_t i = 0; i < kRows * kColumns; ++i)
    right = right && out[i] == 2 * (first + 1 + 2 * static_cast<float>(i));
  check(right, "a plan's values are right");
}

// One plan run from several threads, one of which disposes of it meanwhile.
void plans(const std::shared_ptr<Device>& device) {
  for (int round = 0; round < 4; ++round) {
    Recorded recorded = record(device);
    std::atomic<bool> stop{false};
    std::atomic<int> ran{0};
    Pending pending;
    at_once([&](int thread) {
      for (int i = 0; i < 8; ++i) {
        const auto first = static_cast<float>(100 * thread + i);
        device->enqueue_plan(pending.counted([&, first, plan = recorded.plan] {
          const auto in = values_from(first);
          std::vector<Tensor> outputs;
          const Status status = plan->run({{in.data(), in.size() * sizeof(float)}}, stop, &outputs);
          check(status.ok() || status.code == Code::disposed || status.code == Code::cancelled,
                "a run ends well, or as disposed or cancelled");
          if (!status.ok()) return;
          check_outputs(outputs, first);
          ++ran;
        }));
        // As in JavaScript, where a plan that was disposed of is not asked.
        if (round != 2)
          check(recorded.plan->arena_bytes() < 1 << 20 && recorded.plan->op_count() == 2,
                "a plan can be asked");
        if (round == 2 && thread == 1 && i == 4)
          device->enqueue(pending.counted([plan = recorded.plan] { plan->dispose(); }));
        if (round == 3 && thread == 1 && i == 4) stop = true;
      }
    });
    recorded.plan.reset();
    device->enqueue(pending.counted([] {}));
  }
}

// Ops one by one: memory from the pool, given back by another thread than took it.
void eager(const std::shared_ptr<Device>& device) {
  Pending pending;
  at_once([&](int thread) {
    const TensorDesc desc{DType::f32, {kRows, kColumns + thread}, Layout::plain};
    const size_t bytes = desc.bytes(1);
    std::shared_ptr<Storage> last;
    for (int i = 0; i < 12; ++i) {
      auto in = std::make_shared<Storage>(bytes), out = std::make_shared<Storage>(bytes);
      Graph graph;
      graph.target = device->target();
      Attrs factor;
      factor.set("factor", 3.0);
      const int value = graph.op("scale", {graph.external({desc, in})}, factor).value()[0];
      graph.values[value].storage = out;
      device->enqueue(pending.counted([&, in, out, bytes, graph = std::move(graph), value]() mutable {
        const std::vector<float> ones(bytes / sizeof(float), 1.0f);
        check(device->provide(*in).ok() && device->provide(*out).ok(), "there is memory");
        check(device->upload(in->data(), ones.data(), bytes).ok(), "values are uploaded");
        const std::atomic<bool> stop{false};
        std::vector<Tensor> outputs;
        check(device->run_once(std::move(graph), {value}, stop, &outputs).ok(), "an op runs");
        std::vector<float> read(ones.size());
        check(device->download(read.data(), out->data(), bytes).ok() && read.back() == 3,
              "an op's values are right");
      }));
      last = out;  // the one before is freed here or on the device's thread
    }
  });
}

void queue() {
  at_once([](int) {
    for (int round = 0; round < 10; ++round) {
      auto device = cpu::CpuDevice::acquire();
      auto order = std::make_shared<std::vector<int>>();
      for (int i = 0; i < 20; ++i) device->enqueue([order, i] { order->push_back(i); });
      std::mutex mutex;
      std::condition_variable wake;
      bool done = false;
      device->enqueue([&] {
        std::lock_guard lock(mutex);
        done = true;
        wake.notify_one();
      });
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return done; });
      bool sorted = order->size() == 20;
      for (int i = 0; sorted && i < 20; ++i) sorted = (*order)[i] == i;
      check(sorted, "a thread's work runs in its order");
      // The last reference may go on the device's own thread.
      auto* raw = device.get();
      raw->enqueue([device = std::move(device)] {});
    }
  });
}

void pool() {
  const auto memory = std::make_shared<MemoryPool>(
      [](size_t bytes) -> Result<std::shared_ptr<Storage>> { return allocate_host(bytes); });
  at_once([&](int thread) {
    std::vector<std::unique_ptr<Storage>> held;
    for (int i = 0; i < 200; ++i) {
      held.push_back(std::make_unique<Storage>(static_cast<size_t>(1000 * (1 + (i + thread) % 7))));
      check(memory->provide(*held.back()).ok(), "the pool gives memory");
      std::memset(held.back()->data(), thread, held.back()->bytes());
      bool own = true;
      for (const auto& each : held) own = own && *static_cast<const char*>(each->data()) == thread;
      check(own, "memory of the pool belongs to one");
      if (i % 5 == 0) held.erase(held.begin(), held.begin() + static_cast<int64_t>(held.size() / 2));
      if (i % 50 == 49) memory->trim();
      check(memory->idle_bytes() < 1 << 26, "the pool holds little");
    }
  });
}

void race() {
  int shared = 0;
  at_once([&](int) { ++shared; });
  std::printf("%d\n", shared);
}

template <class Test>
void test(const char* name, Test body) {
  const int before = failures;
  body();
  std::printf("%s: %s\n", name, failures == before ? "ok" : "failed");
}

int run(bool fault) {
  if (fault) {
    race();
    return 0;
  }
  test("queue", queue);
  test("pool", pool);
  const std::shared_ptr<Device> cpu = cpu::CpuDevice::acquire();
  test("plans on cpu", [&] { plans(cpu); });
  test("ops on cpu", [&] { eager(cpu); });
  auto cuda = cuda::CudaDevice::open(0);
  check(cuda.ok(), "the emulated GPU opens");
  if (!cuda.ok()) return 1;
  test("plans on cuda", [&] { plans(cuda.value()); });
  test("ops on cuda", [&] { eager(cuda.value()); });
  test("ops and plans on cuda", [&] {
    std::thread beside([&] { eager(cuda.value()); });
    plans(cuda.value());
    beside.join();
  });
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace nlrcnn

int main(int count, char** arguments) {
  return nlrcnn::run(count > 1 && std::string_view(arguments[1]) == "--fault");
}
