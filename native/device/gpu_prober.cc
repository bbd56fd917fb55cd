#include "device/gpu_prober.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace penstock::device {

namespace {

constexpr std::chrono::seconds kStopPatience{1};
constexpr int64_t kNsPerMs = 1'000'000;

// `probe` is made by the first probe that can have its memory, and kept.
ProbeResult RunProbe(const std::shared_ptr<Gpu>& gpu, uint64_t bytes, std::unique_ptr<MemoryProbe>* probe) {
  ProbeResult result;
  result.status = StatusOf(gpu->fatal());
  if (!result.status.ok()) return result;
  if (*probe == nullptr) {
    Result<std::unique_ptr<MemoryProbe>> created = MemoryProbe::Create(gpu, bytes);
    if (!created.ok()) {
      result.status = created.status();
      return result;
    }
    *probe = std::move(created).value();
  }
  return (*probe)->Run();
}

}  // namespace

void CountProbe(const ProbeResult& result, int64_t now_ns, ProbeState* state) {
  state->last_ns = now_ns;
  state->bytes = result.bytes;
  state->duration_ns = result.duration_ns;
  if (!result.status.ok()) {
    ++state->consecutive_failures;
    state->text = result.status.message();
    return;
  }
  ++state->runs;
  state->consecutive_failures = 0;
  state->free_bytes = result.free_bytes;
  if (result.mismatches == 0) {
    state->consecutive_mismatches = 0;
    state->text.clear();
    return;
  }
  ++state->mismatches;
  ++state->consecutive_mismatches;
  state->text = std::to_string(result.mismatches) + " of " + std::to_string(result.bytes / sizeof(uint32_t)) + " words came back changed";
}

// Shared by the prober and its threads, so that a thread that hangs in the driver may outlive the prober.
struct GpuProber::Shared {
  std::vector<std::shared_ptr<Gpu>> gpus;
  ProberOptions options;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<ProbeState> states;  // guarded by mutex, as all below
  std::vector<std::thread> threads;
  std::vector<char> ended;
  std::vector<int64_t> wanted_ns;  // a probe at that time, before the interval is over; 0 = none
  bool stopping = false;

  // With *lock held, until the next probe is due.
  void Rest(size_t index, std::unique_lock<std::mutex>* lock) {
    const int64_t end_ns = MonotonicNs() + options.interval_ms * kNsPerMs;
    while (!stopping) {
      const int64_t due_ns = wanted_ns[index] == 0 ? end_ns : std::min(end_ns, wanted_ns[index]);
      const int64_t rest_ns = due_ns - MonotonicNs();
      if (rest_ns <= 0) return;
      changed.wait_for(*lock, std::chrono::nanoseconds(rest_ns));
    }
  }
};

GpuProber::GpuProber(const std::vector<std::shared_ptr<Gpu>>& gpus, ProberOptions options) : shared_(std::make_shared<Shared>()) {
  shared_->gpus = gpus;
  shared_->options = options;
  shared_->states.resize(gpus.size());
  if (options.interval_ms <= 0) return;
  shared_->ended.resize(gpus.size());
  shared_->wanted_ns.resize(gpus.size());
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  for (size_t i = 0; i < gpus.size(); ++i) {
    shared_->threads.emplace_back([shared = shared_, i] { Run(shared.get(), i); });
  }
}

void GpuProber::Run(Shared* shared, size_t index) {
  std::unique_ptr<MemoryProbe> probe;
  std::unique_lock<std::mutex> lock(shared->mutex);
  ProbeState& state = shared->states[index];
  while (!shared->stopping) {
    state.running_since_ns = MonotonicNs();
    shared->wanted_ns[index] = 0;
    lock.unlock();
    const ProbeResult result = RunProbe(shared->gpus[index], shared->options.bytes, &probe);
    lock.lock();
    state.running_since_ns = -1;
    CountProbe(result, MonotonicNs(), &state);
    shared->Rest(index, &lock);
  }
  lock.unlock();
  probe.reset();
  lock.lock();
  shared->ended[index] = 1;
  shared->changed.notify_all();
}

GpuProber::~GpuProber() {
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->stopping = true;
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, kStopPatience, [&] {
    return std::all_of(shared_->ended.begin(), shared_->ended.end(), [](char ended) { return ended != 0; });
  });
  std::vector<std::thread> threads = std::move(shared_->threads);
  const std::vector<char> ended = shared_->ended;
  lock.unlock();
  for (size_t i = 0; i < threads.size(); ++i) {
    if (ended[i] != 0) {
      threads[i].join();
    } else {
      threads[i].detach();
    }
  }
}

void GpuProber::ProbeSoon(size_t index) {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  if (index >= shared_->wanted_ns.size()) return;
  shared_->wanted_ns[index] = MonotonicNs() + shared_->options.settle_ms * kNsPerMs;
  shared_->changed.notify_all();
}

std::vector<ProbeState> GpuProber::snapshot() const {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  return shared_->states;
}

}  // namespace penstock::device
