// A session that does what a test tells it, so that the folders above are tested without ONNX Runtime and under every sanitizer.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "memory/block.h"
#include "session/session.h"

namespace penstock::session {

// Echoes by default: output k is a copy of input k modulo the number of inputs. Everything may be changed while runs are in progress.
// Thread-safe.
class FakeSession : public Session {
 public:
  explicit FakeSession(Signature signature) : signature_(std::move(signature)) {}

  // One input "x" and one output "y", both of this dtype and these dims.
  static std::shared_ptr<FakeSession> WithOneInput(DataType dtype = DataType::kFp32, std::vector<int64_t> dims = {-1, 4}) {
    Signature signature;
    signature.inputs = {{"x", dtype, dims, std::vector<std::string>(dims.size())}};
    signature.outputs = {{"y", dtype, dims, std::vector<std::string>(dims.size())}};
    return std::make_shared<FakeSession>(std::move(signature));
  }

  // While the gate is shut a run waits inside until the gate opens or the run is terminated.
  void ShutGate() { Change([this] { gate_shut_ = true; }); }
  void OpenGate() { Change([this] { gate_shut_ = false; }); }
  // The next runs end with this status; an OK one brings echoing back.
  void FailWith(Status status) { Change([&] { failure_ = std::move(status); }); }
  void ThrowBadAlloc(bool throws) { Change([&] { throws_ = throws; }); }
  // Called with the inputs of every run, outside the lock; set it before the first run.
  void OnRun(std::function<void(const std::vector<Tensor>&)> observer) { observer_ = std::move(observer); }
  // Decides by its inputs how a run that passed the gate ends; called outside the lock, may block. Set it before the first run.
  void JudgeRuns(std::function<Status(const std::vector<Tensor>&)> judge) { judge_ = std::move(judge); }
  // Changes what a successful run gives; called outside the lock. Set it before the first run.
  void AlterResults(std::function<void(std::vector<Tensor>*)> alter) { alter_ = std::move(alter); }

  // What a session on GPUs has. Set these before the first run.
  void RunOnGpus(std::vector<std::string> uuids) { gpus_ = std::move(uuids); }
  // Whether the next runs count as the first of their kind.
  void CallRunsFirst(bool first) { Change([&] { shared_->runs_are_first = first; }); }
  void PadRows(std::function<int64_t(int64_t)> padded_rows) { padded_rows_ = std::move(padded_rows); }
  void PadToPowersOfTwo() {
    PadRows([](int64_t rows) {
      int64_t padded = 1;
      while (padded < rows) padded *= 2;
      return padded;
    });
  }
  void GatherInto(memory::BlockSource* memory) { input_memory_ = memory; }
  void TakeRowsApart() { takes_rows_apart_ = true; }
  size_t spare_memory_releases() const { return Read(spare_memory_releases_); }
  void Note(std::string note) { notes_.push_back(std::move(note)); }
  size_t lane_controls() const { return Read(lane_controls_); }
  size_t memory_measurements() const { return Read(memory_measurements_); }

  // Blocks until so many runs in all have started.
  void WaitForStarted(size_t runs) const {
    std::unique_lock<std::mutex> lock(shared_->mutex);
    shared_->changed.wait(lock, [&] { return started_ >= runs; });
  }
  size_t started() const { return Read(started_); }
  size_t most_at_once() const { return Read(most_at_once_); }
  std::set<std::thread::id> threads() const { return Read(threads_); }
  // The first dimension of the first input of each run, in the order in which they started; 0 where there is none.
  std::vector<int64_t> rows_per_run() const { return Read(rows_per_run_); }
  // By UUID; empty for the CPU.
  std::map<std::string, size_t> runs_per_gpu() const { return Read(runs_per_gpu_); }

  const Signature& signature() const override { return signature_; }
  std::unique_ptr<RunControl> NewRunControl() const override {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    return std::make_unique<Control>(shared_, gpus_.empty() ? std::string() : gpus_[controls_++ % gpus_.size()]);
  }
  std::unique_ptr<RunControl> NewLaneControl() const override {
    Change([this] { ++lane_controls_; });
    return NewRunControl();
  }
  std::vector<std::string> notes() const override { return notes_; }
  memory::BlockSource& input_memory() const override { return *input_memory_; }
  bool TakesRowsApart(size_t) const override { return takes_rows_apart_; }
  int64_t PaddedRows(int64_t rows) const override { return padded_rows_ ? padded_rows_(rows) : rows; }
  void ReleaseSpareMemory() const override {
    Change([this] { ++spare_memory_releases_; });
  }
  void MeasureMemory() const override {
    Change([this] { ++memory_measurements_; });
  }
  std::vector<std::string> gpus() const override { return gpus_; }

  Status Run(const std::vector<Tensor>& inputs, const std::vector<size_t>& outputs, RunControl& control,
             std::vector<Tensor>* results) const override {
    if (observer_) observer_(inputs);
    Status failure;
    {
      const Control& own = static_cast<const Control&>(control);
      std::unique_lock<std::mutex> lock(shared_->mutex);
      ++started_;
      most_at_once_ = std::max(most_at_once_, ++running_);
      threads_.insert(std::this_thread::get_id());
      ++runs_per_gpu_[own.gpu_];
      rows_per_run_.push_back(inputs.empty() || inputs[0].dims.empty() ? 0 : inputs[0].dims[0]);
      shared_->changed.notify_all();
      shared_->changed.wait(lock, [&] { return !gate_shut_ || own.terminated; });
      --running_;
      if (own.terminated) return Status(StatusCode::kRequestCancelled, "the run was terminated");
      if (throws_) throw std::bad_alloc();
      failure = failure_;
    }
    if (!failure.ok()) return failure;
    if (judge_) PENSTOCK_RETURN_IF_ERROR(judge_(inputs));
    for (const size_t output : outputs) {
      const Tensor& source = inputs[output % inputs.size()];
      Result<std::shared_ptr<memory::Block>> block = memory::BlockPool::Process().Allocate(source.bytes.size);
      if (!block.ok()) return block.status();
      CopyTensor(source, block.value()->data());
      results->push_back(Tensor{source.dtype, source.dims, memory::WholeSlice(std::move(block).value())});
    }
    if (alter_) alter_(results);
    return Status::Ok();
  }

 private:
  // Rows that lie apart are read where a GPU would.
  static void CopyTensor(const Tensor& source, uint8_t* to) {
    uint8_t* const end = to + source.bytes.size;
    if (source.rows.empty() && source.bytes.size != 0) to = std::copy_n(source.bytes.data, source.bytes.size, to);
    for (const memory::Slice& rows : source.rows) to = std::copy_n(reinterpret_cast<const uint8_t*>(rows.device), rows.size, to);
    std::fill(to, end, uint8_t{0});
  }

  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool runs_are_first = false;
  };

  struct Control : RunControl {
    Control(std::shared_ptr<Shared> shared, std::string gpu) : shared_(std::move(shared)), gpu_(std::move(gpu)) {}
    std::string gpu() const override { return gpu_; }
    bool IsFirstOfItsKind(const std::vector<Tensor>&) const override {
      const std::lock_guard<std::mutex> lock(shared_->mutex);
      return shared_->runs_are_first;
    }
    void Terminate() override { Set(true); }
    void Reset() override { Set(false); }
    void Set(bool value) {
      const std::lock_guard<std::mutex> lock(shared_->mutex);
      terminated = value;
      shared_->changed.notify_all();
    }
    bool terminated = false;  // guarded by shared_->mutex
    std::shared_ptr<Shared> shared_;
    const std::string gpu_;
  };

  template <typename F>
  void Change(F change) const {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    change();
    shared_->changed.notify_all();
  }

  template <typename T>
  T Read(const T& value) const {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    return value;
  }

  const Signature signature_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::function<void(const std::vector<Tensor>&)> observer_;
  std::function<Status(const std::vector<Tensor>&)> judge_;
  std::function<void(std::vector<Tensor>*)> alter_;
  std::vector<std::string> gpus_;
  std::function<int64_t(int64_t)> padded_rows_;
  memory::BlockSource* input_memory_ = &memory::BlockPool::Process();
  bool takes_rows_apart_ = false;
  bool gate_shut_ = false;
  bool throws_ = false;
  Status failure_;
  mutable size_t controls_ = 0;
  mutable size_t spare_memory_releases_ = 0;
  mutable size_t memory_measurements_ = 0;
  mutable size_t lane_controls_ = 0;
  std::vector<std::string> notes_;
  mutable size_t started_ = 0;
  mutable size_t running_ = 0;
  mutable size_t most_at_once_ = 0;
  mutable std::set<std::thread::id> threads_;
  mutable std::vector<int64_t> rows_per_run_;
  mutable std::map<std::string, size_t> runs_per_gpu_;
};

}  // namespace penstock::session
