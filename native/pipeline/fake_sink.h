// A sink that keeps what it gets, for tests of this folder and of those above.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "pipeline/job.h"

namespace penstock::pipeline {

// Thread-safe.
class FakeSink : public CompletionSink {
 public:
  void Complete(uint64_t token, Outcome outcome) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    outcomes_[token].push_back(std::move(outcome));
    ++count_;
    changed_.notify_all();
  }

  // Blocks until so many outcomes have arrived in all.
  void WaitFor(size_t outcomes) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= outcomes; });
  }

  // Blocks until `token` has its outcome, and returns it.
  Outcome Take(uint64_t token) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return !outcomes_[token].empty(); });
    Outcome outcome = std::move(outcomes_[token].front());
    outcomes_[token].clear();
    return outcome;
  }

  size_t count() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }

  // Outcomes of `token` that were not taken.
  size_t count(uint64_t token) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = outcomes_.find(token);
    return found == outcomes_.end() ? 0 : found->second.size();
  }

  void Clear() {
    const std::lock_guard<std::mutex> lock(mutex_);
    outcomes_.clear();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, std::vector<Outcome>> outcomes_;
  size_t count_ = 0;
};

}  // namespace penstock::pipeline
