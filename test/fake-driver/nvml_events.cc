// Event sets: XIDs of the script reach those that registered for them.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "nvml_devices.h"

using namespace penstock::fake_driver;

namespace {

constexpr auto kPoll = std::chrono::milliseconds(2);
constexpr unsigned kNoInstance = 0xFFFFFFFF;

using Counts = std::map<std::pair<int, uint64_t>, size_t>;  // how often each XID of each GPU

struct EventSet {
  std::mutex mutex;
  std::set<int> gpus;  // registered for XIDs. Guarded by mutex.
  Counts delivered;    // guarded by mutex
};

struct State {
  std::mutex mutex;
  std::unordered_map<NvmlEventSet, std::shared_ptr<EventSet>> sets;  // guarded by mutex
  uintptr_t next = 0x1000;                                           // guarded by mutex. Handles are never used twice.
  // What any set has delivered since the reset `resets`: a set that is made later does not deliver what has passed. Guarded by mutex.
  Counts passed;
  uint64_t resets = 0;

  Counts* Passed() {  // mutex is held
    if (resets != ResetCount()) passed.clear();
    resets = ResetCount();
    return &passed;
  }
};

State& TheState() {
  static State& state = *new State;  // never destroyed: a thread may wait for events while the process ends
  return state;
}

std::shared_ptr<EventSet> Find(NvmlEventSet handle) {
  std::lock_guard<std::mutex> lock(TheState().mutex);
  const auto found = TheState().sets.find(handle);
  return found == TheState().sets.end() ? nullptr : found->second;
}

// The first XID of the script that this set has not had as often as the script has it. Timeout when there is none.
int Next(EventSet* set, NvmlEventData* data) {
  const Script& script = CurrentScript();
  std::lock_guard<std::mutex> lock(set->mutex);
  std::map<std::pair<int, uint64_t>, size_t> seen;
  for (const Xid& each : script.xids) {
    const std::pair<int, uint64_t> key{each.gpu, each.code};
    if (set->gpus.count(each.gpu) == 0 || ++seen[key] <= set->delivered[key]) continue;
    const size_t count = ++set->delivered[key];
    {
      std::lock_guard<std::mutex> state_lock(TheState().mutex);
      size_t& passed = (*TheState().Passed())[key];
      passed = std::max(passed, count);
    }
    *data = {HandleOf(each.gpu, -1), kNvmlEventXid, each.code, kNoInstance, kNoInstance};
    return kNvmlSuccess;
  }
  const auto is_lost = [&](int gpu) { return static_cast<size_t>(gpu) < script.gpus.size() && script.gpus[static_cast<size_t>(gpu)].nvml.lost; };
  return std::any_of(set->gpus.begin(), set->gpus.end(), is_lost) ? kNvmlGpuIsLost : kNvmlTimeout;
}

}  // namespace

FAKE_EXPORT int nvmlEventSetCreate(NvmlEventSet* set) {
  const NvmlCall call(FAKE_FUNCTION(nvmlEventSetCreate));
  if (call.code() != 0) return call.code();
  if (set == nullptr) return kNvmlInvalidArgument;
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  *set = reinterpret_cast<NvmlEventSet>(state.next += 16);
  const auto made = std::make_shared<EventSet>();
  made->delivered = *state.Passed();
  state.sets.emplace(*set, made);
  return 0;
}

FAKE_EXPORT int nvmlDeviceRegisterEvents(NvmlDevice device, unsigned long long types, NvmlEventSet handle) {
  // By the handle of a MIG device there are no events.
  const NvmlCall call(FAKE_FUNCTION(nvmlDeviceRegisterEvents), device, true);
  if (call.code() != 0) return call.code();
  const auto set = Find(handle);
  if (set == nullptr) return kNvmlInvalidArgument;
  if ((types & ~kNvmlEventXid) != 0) return kNvmlNotSupported;
  std::lock_guard<std::mutex> lock(set->mutex);
  if (types != 0) set->gpus.insert(call.handle().gpu);
  return 0;
}

FAKE_EXPORT int nvmlEventSetWait_v2(NvmlEventSet handle, NvmlEventData* data, unsigned timeout_ms) {
  const NvmlCall call(FAKE_FUNCTION(nvmlEventSetWait_v2));
  if (call.code() != 0) return call.code();
  const auto set = Find(handle);
  if (set == nullptr || data == nullptr) return kNvmlInvalidArgument;
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (true) {
    const int code = Next(set.get(), data);
    if (code != kNvmlTimeout || std::chrono::steady_clock::now() >= until) return code;
    std::this_thread::sleep_for(kPoll);
  }
}

FAKE_EXPORT int nvmlEventSetFree(NvmlEventSet handle) {
  const NvmlCall call(FAKE_FUNCTION(nvmlEventSetFree));
  if (call.code() != 0) return call.code();
  std::lock_guard<std::mutex> lock(TheState().mutex);
  return TheState().sets.erase(handle) > 0 ? 0 : kNvmlInvalidArgument;
}
