#include "pipeline/watchdog.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace penstock::pipeline {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr std::chrono::seconds kTellPatience{1};

// On a thread that is left behind if need be: a log that nobody reads any more may take a line for ever.
void Tell(const std::function<void(const HungRun&)>& listener, const HungRun& run) {
  const auto told = std::make_shared<std::promise<void>>();
  std::future<void> done = told->get_future();
  try {
    std::thread([listener, run, told] {
      listener(run);
      told->set_value();
    }).detach();
  } catch (const std::system_error&) {  // no thread left: the process ends without a word
    return;
  }
  done.wait_for(kTellPatience);
}

}  // namespace

struct Watchdog::State {
  explicit State(WatchdogOptions own_options)
      : options(std::move(own_options)), heartbeats(std::min(options.limit_ms, INT64_MAX / kMs) * kMs) {}

  void Run() {
    pthread_setname_np(pthread_self(), "penstock-watch");
    // Ten looks in the time that a run may take at least: overdue runs are seen a thirtieth too late at most.
    const std::chrono::milliseconds interval(std::clamp<int64_t>(options.limit_ms / 10, 1, 1000));
    std::unique_lock<std::mutex> lock(mutex);
    while (!stopping.wait_for(lock, interval, [this] { return stop; })) {
      const std::optional<HungRun> overdue = heartbeats.Overdue(MonotonicNs());
      if (!overdue) continue;
      if (options.before_abort) Tell(options.before_abort, *overdue);
      options.abort();
      return;  // only where a test has taken the place of abort()
    }
  }

  const WatchdogOptions options;
  Heartbeats heartbeats;
  std::mutex mutex;  // guards `stop` and the start of `thread`
  std::condition_variable stopping;
  bool stop = false;
  std::thread thread;
};

Watchdog::Watchdog(WatchdogOptions options) : state_(std::make_unique<State>(std::move(options))) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stop = true;
  }
  state_->stopping.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

std::unique_ptr<Heartbeat> Watchdog::Watch(std::string model, std::string gpu, std::shared_ptr<RunHistory> history) {
  if (state_->options.limit_ms > 0) {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    if (!state_->thread.joinable()) state_->thread = std::thread(&State::Run, state_.get());
  }
  return state_->heartbeats.Add(std::move(model), std::move(gpu), std::move(history));
}

GpuActivity Watchdog::activity(const std::string& gpu) const { return state_->heartbeats.activity(gpu, MonotonicNs()); }

}  // namespace penstock::pipeline
