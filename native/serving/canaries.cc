#include "serving/canaries.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace penstock::serving {

Canaries::~Canaries() { Stop(); }

void Canaries::SetInterval(int64_t interval_ms) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    interval_ms_ = interval_ms;
  }
  changed_.notify_all();
}

void Canaries::Add(const std::shared_ptr<ModelVersion>& version) {
  if (version->canary() == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stop_) return;
  watched_.push_back({version, {}});
  if (!thread_.joinable()) thread_ = std::thread(&Canaries::Loop, this);
}

CanaryState Canaries::state(const std::string& gpu) const {
  CanaryState state;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto totals = totals_.find(gpu);
  if (totals != totals_.end()) {
    state.runs = totals->second.runs;
    state.mismatches = totals->second.mismatches;
    if (totals->second.answered_ns != 0) state.age_ms = std::max<int64_t>(0, MonotonicNs() - totals->second.answered_ns) / 1'000'000;
  }
  uint64_t longest = 0;
  for (const Watched& watched : watched_) {
    const auto streak = watched.streaks.find(gpu);
    if (streak == watched.streaks.end() || watched.version.expired()) continue;
    const auto& [mismatches, failures, text] = streak->second;
    state.consecutive_mismatches = std::max(state.consecutive_mismatches, mismatches);
    state.consecutive_failures = std::max(state.consecutive_failures, failures);
    if (mismatches + failures <= longest) continue;
    longest = mismatches + failures;
    state.text = text;
  }
  return state;
}

void Canaries::Stop() {
  const std::lock_guard<std::mutex> one(stopping_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
    // Under the lock: the canary lives for as long as it is named here.
    if (checking_ != nullptr) checking_->Stop();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Canaries::Loop() {
  pthread_setname_np(pthread_self(), "penstock-canary");
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stop_) {
    const int64_t interval_ms = interval_ms_;
    const auto is_other = [this, interval_ms] { return stop_ || interval_ms_ != interval_ms; };
    if (interval_ms == 0) {
      changed_.wait(lock, is_other);
    } else if (!changed_.wait_for(lock, std::chrono::milliseconds(interval_ms), is_other)) {
      CheckAll(&lock);
    }
  }
}

void Canaries::CheckAll(std::unique_lock<std::mutex>* lock) {
  for (auto watched = watched_.begin(); watched != watched_.end() && !stop_;) {
    std::shared_ptr<ModelVersion> version = watched->version.lock();
    if (version == nullptr) {
      watched = watched_.erase(watched);
      continue;
    }
    checking_ = version->canary();
    lock->unlock();
    std::vector<pipeline::CanaryCheck> checks;
    try {
      checks = version->canary()->Check();
    } catch (const std::bad_alloc&) {  // a check less
    }
    lock->lock();
    checking_ = nullptr;
    for (const pipeline::CanaryCheck& check : checks) Record(check, &*watched);
    lock->unlock();
    version.reset();  // perhaps the last reference, and then to the reaper: not under the lock
    lock->lock();
    ++watched;
  }
}

void Canaries::Record(const pipeline::CanaryCheck& check, Watched* watched) {
  if (check.status.code() == StatusCode::kRequestCancelled) return;
  Streak& streak = watched->streaks[check.gpu];
  if (!check.status.ok()) {
    ++streak.failures;
    streak.text = check.status.message();
    return;
  }
  Totals& totals = totals_[check.gpu];
  ++totals.runs;
  totals.answered_ns = MonotonicNs();
  streak.failures = 0;
  streak.mismatches = check.mismatch.empty() ? 0 : streak.mismatches + 1;
  streak.text = check.mismatch;
  if (!check.mismatch.empty()) ++totals.mismatches;
}

}  // namespace penstock::serving
