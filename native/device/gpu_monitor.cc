#include "device/gpu_monitor.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "device/gpu_reader.h"
#include "device/nvml.h"

namespace penstock::device {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
// A container that has lost its devices goes on with the handles that it has; only a new nvmlInit tells.
// https://github.com/NVIDIA/nvidia-docker/issues/1730
constexpr int kPollsPerFreshLook = 15;
constexpr int64_t kSliceMs = 100;  // of a wait, so that neither a stop nor a fault has to wait for its end
constexpr std::chrono::seconds kStopPatience{1};

// Do codes of nvmlInit or of a look-up mean that the device nodes are there no more? `worked_before`: NVML has answered this process.
bool MeansRevoked(int code, bool worked_before) {
  if (code == kNvmlUnknown || code == kNvmlOperatingSystem) return true;
  return worked_before && (code == kNvmlUninitialized || code == kNvmlDriverNotLoaded || code == kNvmlNoPermission);
}

// Events are counted since the start; all else is of one reading.
void KeepXids(const GpuReadings& before, GpuReadings* readings) {
  readings->last_xid = before.last_xid;
  readings->recent_xids = before.recent_xids;
  readings->xid_count = before.xid_count;
}

}  // namespace

// Shared by the monitor and its thread, so that a thread that hangs in NVML may outlive the monitor.
struct GpuMonitor::State {
  std::vector<std::shared_ptr<Gpu>> gpus;
  int64_t interval_ns = 0;
  std::function<void(size_t)> on_xid;
  std::thread thread;

  mutable std::mutex mutex;
  std::condition_variable changed;
  MonitorSnapshot snapshot;  // guarded by mutex, as all below
  bool stopping = false;
  bool ended = false;

  bool IsStopping() const {
    const std::lock_guard<std::mutex> lock(mutex);
    return stopping;
  }

  void SleepUntil(int64_t time_ns) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait_for(lock, std::chrono::nanoseconds(std::max<int64_t>(0, time_ns - MonotonicNs())), [this] { return stopping; });
  }

  template <typename Change>
  void Publish(Change change) {
    const std::lock_guard<std::mutex> lock(mutex);
    change(&snapshot);
  }

  class Watcher;
};

// What only the thread touches: it alone calls NVML.
class GpuMonitor::State::Watcher {
 public:
  Watcher(State* state, std::shared_ptr<const Nvml> nvml)
      : state_(state),
        nvml_(std::move(nvml)),
        functions_(nvml_->functions()),
        gpus_(state->gpus.size()),
        found_(state->gpus.size()),
        failed_(state->gpus.size()) {}

  void Run() {
    while (!state_->IsStopping()) {
      const int64_t next_ns = MonotonicNs() + state_->interval_ns;
      Poll();
      while (MonotonicNs() < next_ns && !state_->IsStopping() && !AnyNewFault()) {
        if (!TakeEvent(next_ns)) state_->SleepUntil(std::min(next_ns, MonotonicNs() + kSliceMs * kNsPerMs));
      }
    }
    Close();
  }

 private:
  void Poll() {
    // A lost GPU makes every look-up of a new NVML fail, also for its healthy neighbours; their old handles go on answering.
    if (!is_open_ || (++polls_ >= kPollsPerFreshLook && !AnyLost())) LookAfresh();
    if (is_open_ && !ReadAll() && !AnyLost()) LookAfresh();
  }

  // False when a device does not give even its memory for a reason that a new NVML could explain.
  bool ReadAll() {
    bool answers = true;
    for (size_t i = 0; i < gpus_.size(); ++i) {
      if (gpus_[i].device == nullptr) continue;
      GpuReadings readings;
      const int code = ReadGpu(*nvml_, gpus_[i], &readings);
      if (code == kNvmlUnknown || code == kNvmlUninitialized || code == kNvmlOperatingSystem) answers = false;
      state_->Publish([&](MonitorSnapshot* snapshot) {
        GpuReadings& published = snapshot->gpus[i];
        readings.uuid = published.uuid;
        KeepXids(published, &readings);
        published = readings;
      });
    }
    return answers;
  }

  void LookAfresh() {
    polls_ = 0;
    while (TakeEvent(0)) continue;
    Close();
    const int code = functions_.nvmlInit_v2();
    is_open_ = code == kNvmlSuccess;
    state_->Publish([&](MonitorSnapshot* snapshot) { snapshot->unavailable = is_open_ ? "" : nvml_->TextOf("nvmlInit_v2", code); });
    int find_code = code;
    for (size_t i = 0; i < gpus_.size(); ++i) find_code = Find(i, code);
    const auto is_known = [](const NvmlGpu& gpu) { return gpu.device != nullptr; };
    if (is_open_ && std::none_of(gpus_.begin(), gpus_.end(), is_known)) {
      state_->Publish([&](MonitorSnapshot* snapshot) { snapshot->unavailable = nvml_->TextOf("nvmlDeviceGetHandleByUUID", find_code); });
    }
    if (is_open_) OpenEvents();
    worked_before_ = worked_before_ || is_open_;
  }

  int Find(size_t i, int init_code) {
    gpus_[i] = NvmlGpu{};
    const int code = is_open_ ? FindNvmlGpu(*nvml_, state_->gpus[i]->info(), &gpus_[i]) : init_code;
    if (code == kNvmlSuccess) found_[i] = true;
    const bool revoked = MeansRevoked(code, is_open_ ? found_[i] : worked_before_);
    state_->Publish([&](MonitorSnapshot* snapshot) {
      GpuReadings& published = snapshot->gpus[i];
      if (code == kNvmlSuccess) {
        published.revoked = false;
        published.gone = false;
        return;
      }
      GpuReadings nothing;
      nothing.uuid = published.uuid;
      KeepXids(published, &nothing);
      nothing.revoked = revoked;
      nothing.gone = is_open_ && found_[i] && code == kNvmlNotFound;
      nothing.lost = code == kNvmlGpuIsLost;
      nothing.read_ns = MonotonicNs();
      published = nothing;
    });
    return code;
  }

  // Without permission for events, or on a driver without them, there is no set and XIDs stay at 0.
  void OpenEvents() {
    if (functions_.nvmlEventSetWait_v2 == nullptr || Nvml::Call(functions_.nvmlEventSetCreate, &events_) != kNvmlSuccess) {
      events_ = nullptr;
      return;
    }
    for (const NvmlGpu& gpu : gpus_) {
      if (gpu.board != nullptr) Nvml::Call(functions_.nvmlDeviceRegisterEvents, gpu.board, kNvmlEventXid, events_);
    }
  }

  // Waits for one event, not longer than until `time_ns` nor than a slice. False when events cannot be had, or when there was none.
  bool TakeEvent(int64_t time_ns) {
    if (events_ == nullptr) return false;
    const int64_t wait_ms = std::clamp<int64_t>((time_ns - MonotonicNs() + kNsPerMs - 1) / kNsPerMs, 0, kSliceMs);
    NvmlEventData event{};
    const int code = functions_.nvmlEventSetWait_v2(events_, &event, static_cast<unsigned>(wait_ms));
    if (code == kNvmlSuccess && (event.type & kNvmlEventXid) != 0) CountXid(event);
    return code == kNvmlSuccess || (code == kNvmlTimeout && wait_ms > 0);
  }

  void CountXid(const NvmlEventData& event) {
    for (size_t i = 0; i < gpus_.size(); ++i) {
      if (!Concerns(event, gpus_[i])) continue;
      state_->Publish([&](MonitorSnapshot* snapshot) {
        GpuReadings& published = snapshot->gpus[i];
        published.last_xid = static_cast<int64_t>(event.data);
        published.recent_xids.push_back(published.last_xid);
        if (published.recent_xids.size() > kRecentXids) published.recent_xids.erase(published.recent_xids.begin());
        ++published.xid_count;
      });
      if (state_->on_xid) state_->on_xid(i);
    }
  }

  bool AnyLost() const {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    const std::vector<GpuReadings>& gpus = state_->snapshot.gpus;
    return std::any_of(gpus.begin(), gpus.end(), [](const GpuReadings& readings) { return readings.lost; });
  }

  // The code that a call gets first is often less exact than what NVML knows: a GPU that has left the bus fails a launch (719).
  bool AnyNewFault() {
    bool any = false;
    for (size_t i = 0; i < failed_.size(); ++i) {
      if (failed_[i] != 0 || state_->gpus[i]->fatal().kind == FaultKind::kNone) continue;
      failed_[i] = 1;
      any = true;
    }
    return any;
  }

  void Close() {
    if (events_ != nullptr) Nvml::Call(functions_.nvmlEventSetFree, events_);
    events_ = nullptr;
    if (is_open_) functions_.nvmlShutdown();
    is_open_ = false;
  }

  State* const state_;
  const std::shared_ptr<const Nvml> nvml_;
  const NvmlFunctions& functions_;
  std::vector<NvmlGpu> gpus_;
  std::vector<char> found_;   // has it been found once?
  std::vector<char> failed_;  // has a fatal fault of it been seen?
  NvmlEventSet events_ = nullptr;
  bool is_open_ = false;
  bool worked_before_ = false;
  int polls_ = 0;
};

GpuMonitor::GpuMonitor(std::vector<std::shared_ptr<Gpu>> gpus, MonitorOptions options) : state_(std::make_shared<State>()) {
  state_->on_xid = std::move(options.on_xid);
  state_->interval_ns = std::max<int64_t>(1, options.interval_ms) * kNsPerMs;
  for (const std::shared_ptr<Gpu>& gpu : gpus) {
    state_->gpus.push_back(gpu);
    state_->snapshot.gpus.emplace_back();
    state_->snapshot.gpus.back().uuid = gpu->info().uuid;
  }
  std::shared_ptr<const Nvml> nvml = Nvml::Open(options.nvml_library, &state_->snapshot.unavailable);
  if (nvml == nullptr || gpus.empty()) {
    state_->ended = true;
    return;
  }
  state_->thread = std::thread([state = state_, nvml = std::move(nvml)] {
    State::Watcher(state.get(), nvml).Run();
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->ended = true;
    state->changed.notify_all();
  });
}

GpuMonitor::~GpuMonitor() {
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  const bool ended = state_->changed.wait_for(lock, kStopPatience, [this] { return state_->ended; });
  lock.unlock();
  if (!state_->thread.joinable()) return;
  if (ended) {
    state_->thread.join();
  } else {
    state_->thread.detach();
  }
}

MonitorSnapshot GpuMonitor::snapshot() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->snapshot;
}

}  // namespace penstock::device
