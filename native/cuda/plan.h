#pragma once
#include <shared_mutex>

#include "cuda/device.h"

namespace nlrcnn::cuda {

// A graph of ops on one GPU. A lane's first run launches the kernels one by one, which packs weights, chooses
// algorithms and loads code; from the second on it replays what it captured: one upload, one launch, one
// download.
class CudaPlan : public Plan {
 public:
  CudaPlan(std::shared_ptr<CudaDevice> device, Graph graph, std::vector<int> outputs);
  ~CudaPlan() override;

  Status run(const std::vector<Input>& inputs, const std::atomic<bool>& stop, std::vector<Tensor>* outputs,
             std::vector<Timing>* timings) override;
  // Runs in progress on other lanes go on; memory goes with the last of them.
  void dispose() override {}
  size_t arena_bytes() const override { return device_bytes_; }

 private:
  // What a lane captured, good as long as its arena did not move.
  struct Captured {
    bool warm = false;
    uint64_t versions = 0;
    ExecutablePointer executable;
    uint64_t generation = 0;
  };

  Status prepare(Stream& stream);
  void place_all();
  Status upload(Lane& lane, const std::vector<Input>& inputs);
  Status launch_all(Lane& lane, std::vector<Timing>* timings);
  Status replay(Lane& lane);
  Status time_replay(Lane& lane, std::vector<Timing>* timings);
  Status collect(Lane& lane, const std::vector<Input>& inputs, std::vector<Tensor>* outputs);
  // Elements of a dynamic output after a run.
  int64_t count_of(Lane& lane, int value) const;
  bool fits(Lane& lane) const;
  // Makes room where a dynamic output did not fit; the run must be done again.
  Status grow(const std::vector<std::pair<int, int64_t>>& wanted);
  Status check_faults(Lane& lane);
  char* address(Lane& lane, int value) const;
  size_t dynamic_bytes(int value) const;
  bool made_here(int value) const;
  // Of all tensors from outside, summed: where it has grown, packed weights must be made anew.
  uint64_t versions() const;

  std::shared_ptr<CudaDevice> device_;
  bool prepared_ = false, retained_ = false;
  std::vector<std::unique_ptr<Kernel>> kernels_;
  std::vector<std::pair<int, int>> made_by_;  // of each value: step and output, or -1
  // Where things lie in the lane's device memory: values, workspace, inputs, and the block that comes down
  // (faults first), which lies in the staging memory behind the inputs.
  std::vector<size_t> offsets_;
  size_t workspace_ = 0, inputs_ = 0, results_ = 0, staging_results_ = 0;
  std::atomic<size_t> device_bytes_ = 0;  // any thread may ask
  size_t download_bytes_ = 0, results_bytes_ = 0;
  Captured captured_[8];
  std::shared_mutex layout_;  // held alone while things move
};

}  // namespace nlrcnn::cuda
