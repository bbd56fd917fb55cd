// Lets a counted number of runs go on at one time, in the order in which they ask.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace penstock::session {

// Thread-safe. Allocates nothing: whoever waits brings its place in the line.
class RunPermits {
 public:
  // `count`: below 1 counts as 1.
  explicit RunPermits(int count) : free_(count < 1 ? 1 : count) {}
  RunPermits(const RunPermits&) = delete;
  RunPermits& operator=(const RunPermits&) = delete;

  // [lane thread, blocks] False, and nothing is taken, when `stopped` is or becomes true first.
  bool Acquire(const std::atomic<bool>& stopped) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (stopped.load()) return false;
    if (free_ > 0) {  // nobody waits then
      --free_;
      return true;
    }
    Waiter self;
    Append(&self);
    self.changed.wait(lock, [&] { return self.granted || stopped.load(); });
    if (!self.granted) {
      Remove(&self);
      return false;
    }
    if (!stopped.load()) return true;
    HandOn();
    return false;
  }

  void Release() {
    const std::lock_guard<std::mutex> lock(mutex_);
    HandOn();
  }

  // [any thread] To be called after a flag that somebody may wait on has been set.
  void Wake() {
    // Taken so that a waiter that has just read the flag as false is asleep by now.
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) waiter->changed.notify_one();
  }

  // [any thread] Runs that wait for a permit now.
  int waiting() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    int count = 0;
    for (const Waiter* waiter = first_; waiter != nullptr; waiter = waiter->next) ++count;
    return count;
  }

 private:
  // On the stack of whoever waits, in the line until it is granted or leaves.
  struct Waiter {
    std::condition_variable changed;
    bool granted = false;
    Waiter* previous = nullptr;
    Waiter* next = nullptr;
  };

  // The following with mutex_ held.
  void Append(Waiter* waiter) {
    waiter->previous = last_;
    (last_ == nullptr ? first_ : last_->next) = waiter;
    last_ = waiter;
  }
  void Remove(Waiter* waiter) {
    (waiter->previous == nullptr ? first_ : waiter->previous->next) = waiter->next;
    (waiter->next == nullptr ? last_ : waiter->next->previous) = waiter->previous;
  }
  // To whoever has waited longest. Straight into its hand: one that has just come would be quicker than one that must wake up first.
  void HandOn() {
    Waiter* const next = first_;
    if (next == nullptr) {
      ++free_;
      return;
    }
    Remove(next);
    next->granted = true;
    next->changed.notify_one();  // under the lock: it may be gone right after
  }

  mutable std::mutex mutex_;  // guards the rest
  int free_;          // 0 while anybody waits
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

}  // namespace penstock::session
