#include "calls.h"

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <tuple>

namespace penstock::fake_driver {
namespace {

constexpr size_t kMaxFunctions = 128;
constexpr auto kHangPoll = std::chrono::milliseconds(2);

using Signature = std::tuple<ino_t, off_t, int64_t, int64_t, int64_t, int64_t>;

struct State {
  std::atomic<const Script*> script{nullptr};
  std::atomic<uint64_t> resets{0};
  std::array<std::atomic<uint64_t>, kMaxFunctions> calls{};

  std::mutex mutex;
  std::vector<const Script*> scripts;  // all that ever held: callers may still read one. Guarded by mutex.
  Signature signature;                 // of the file as it was last read. Guarded by mutex.
  const char* file = std::getenv("FAKE_GPU_SCRIPT");
  std::atomic<bool> follows_file{file != nullptr};

  void Publish(const Script* next) {  // mutex is held
    scripts.push_back(next);
    script.store(next, std::memory_order_release);
  }
};

// Never destroyed: hung threads outlive main.
State& TheState() {
  static State& state = *[] {
    auto* made = new State;
    if (FunctionNames().size() > kMaxFunctions) Die("more functions than counters");
    std::lock_guard<std::mutex> lock(made->mutex);
    made->Publish(Script::Parse(""));
    return made;
  }();
  return state;
}

void FollowFile(State* state) {
  if (!state->follows_file.load(std::memory_order_relaxed)) return;
  struct stat now {};
  if (stat(state->file, &now) != 0) Die(std::string("FAKE_GPU_SCRIPT names ") + state->file + ", which cannot be read");
  const Signature signature{now.st_ino, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec, now.st_ctim.tv_sec, now.st_ctim.tv_nsec};
  std::lock_guard<std::mutex> lock(state->mutex);
  if (signature == state->signature) return;
  state->signature = signature;
  std::ostringstream text;
  text << std::ifstream(state->file).rdbuf();
  state->Publish(Script::Parse(text.str()));
}

bool HasRule(Action action, size_t function) {
  const std::string& name = FunctionNames()[function];
  for (const Rule& rule : CurrentScript().rules) {
    if (rule.action == action && rule.Names(name)) return true;
  }
  return false;
}

// Until another script comes that no longer has such a line.
void Hang(Action action, size_t function) {
  const uint64_t resets = ResetCount();
  while (HasRule(action, function) && ResetCount() == resets) std::this_thread::sleep_for(kHangPoll);
}

void Strike(const Rule& rule, size_t function, Effects* effects) {
  switch (rule.action) {
    case Action::kFail:
    case Action::kSticky:
      if (effects->code == 0) effects->code = rule.code;
      if (rule.action == Action::kSticky) effects->sticky = rule.code;
      break;
    case Action::kAsyncSticky:
      effects->async_sticky = rule.code;
      break;
    case Action::kDelay:
      effects->delay += rule.delay;
      break;
    case Action::kHang:
      Hang(Action::kHang, function);
      break;
    case Action::kAsyncHang:
      effects->hang_of = function;
      break;
    case Action::kCorrupt:
      effects->corrupt = true;
      break;
  }
}

}  // namespace

const Script& CurrentScript() {
  State& state = TheState();
  FollowFile(&state);
  return *state.script.load(std::memory_order_acquire);
}

uint64_t ResetCount() { return TheState().resets.load(std::memory_order_relaxed); }

Effects BeginCall(size_t function, int gpu) {
  const Script& script = CurrentScript();
  TheState().calls[function].fetch_add(1, std::memory_order_relaxed);
  const std::string& name = FunctionNames()[function];
  Effects effects;
  for (Rule& rule : script.rules) {
    if (!rule.Names(name) || (rule.gpu >= 0 && rule.gpu != gpu)) continue;
    const uint64_t before = rule.seen.fetch_add(1, std::memory_order_relaxed);
    if (before >= rule.after && before - rule.after < rule.times) Strike(rule, function, &effects);
  }
  if (!IsAsynchronous(name) && effects.delay.count() > 0) std::this_thread::sleep_for(effects.delay);
  return effects;
}

void HangWork(size_t function) { Hang(Action::kAsyncHang, function); }

void ResetCalls() {
  State& state = TheState();
  std::lock_guard<std::mutex> lock(state.mutex);
  state.resets.fetch_add(1, std::memory_order_relaxed);
  for (auto& each : state.calls) each.store(0, std::memory_order_relaxed);
  state.signature = {};
  state.follows_file.store(state.file != nullptr, std::memory_order_relaxed);
  state.Publish(Script::Parse(""));
}

}  // namespace penstock::fake_driver

// Takes the place of the script, and of the file of FAKE_GPU_SCRIPT until the next reset. Counts begin anew.
FAKE_EXPORT void fake_gpu_set_script(const char* text) {
  using namespace penstock::fake_driver;
  State& state = TheState();
  const Script* script = Script::Parse(text);
  std::lock_guard<std::mutex> lock(state.mutex);
  state.follows_file.store(false, std::memory_order_relaxed);
  for (auto& each : state.calls) each.store(0, std::memory_order_relaxed);
  state.Publish(script);
}

// Calls of this function since the script was set or the driver reset.
FAKE_EXPORT uint64_t fake_gpu_calls(const char* name) {
  using namespace penstock::fake_driver;
  return TheState().calls[FunctionNumber(name)].load(std::memory_order_relaxed);
}
