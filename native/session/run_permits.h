// Lets a counted number of runs go on at one time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace penstock::session {

// Thread-safe.
class RunPermits {
 public:
  // `count`: below 1 counts as 1.
  explicit RunPermits(int count) : free_(count < 1 ? 1 : count) {}

  // [lane thread, blocks] False, and nothing is taken, when `stopped` is or becomes true first.
  bool Acquire(const std::atomic<bool>& stopped) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return free_ > 0 || stopped.load(); });
    if (stopped.load()) return false;
    --free_;
    return true;
  }

  void Release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++free_;
    // All of them: the one that a single call would wake may have been stopped and leave without the permit.
    changed_.notify_all();
  }

  // [any thread] To be called after a flag that somebody may wait on has been set.
  void Wake() {
    // Taken so that a waiter that has just read the flag as false is asleep by now.
    const std::lock_guard<std::mutex> lock(mutex_);
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int free_;  // guarded by mutex_
};

}  // namespace penstock::session
