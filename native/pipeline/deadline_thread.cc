#include "pipeline/deadline_thread.h"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace penstock::pipeline {

class DeadlineThread {
 public:
  static DeadlineThread& Process() {
    static auto* const thread = new DeadlineThread;
    return *thread;
  }

  void Add(Alarm* alarm) {
    const std::lock_guard<std::mutex> lock(mutex_);
    due_.insert({alarm->at_ns_, alarm});
  }

  void Set(Alarm* alarm, int64_t at_ns) noexcept {
    bool earlier = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      earlier = at_ns < due_.begin()->first;
      Move(alarm, at_ns);
    }
    if (earlier) changed_.notify_all();
  }

  void Remove(Alarm* alarm) {
    std::unique_lock<std::mutex> lock(mutex_);
    rung_.wait(lock, [&] { return ringing_ != alarm; });
    due_.erase({alarm->at_ns_, alarm});
  }

 private:
  DeadlineThread() {
    std::thread([this] { Serve(); }).detach();
  }

  [[noreturn]] void Serve() {
    pthread_setname_np(pthread_self(), "penstock-alarm");
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      if (due_.empty() || due_.begin()->first == Alarm::kNever) {
        changed_.wait(lock);
        continue;
      }
      const auto [at_ns, alarm] = *due_.begin();
      if (at_ns > MonotonicNs()) {
        changed_.wait_until(lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at_ns)));
        continue;
      }
      Move(alarm, Alarm::kNever);
      ringing_ = alarm;
      lock.unlock();
      alarm->ring_();
      lock.lock();
      ringing_ = nullptr;
      rung_.notify_all();
    }
  }

  // Takes no memory: the node moves within the set.
  void Move(Alarm* alarm, int64_t at_ns) noexcept {
    auto node = due_.extract({alarm->at_ns_, alarm});
    alarm->at_ns_ = at_ns;
    node.value().first = at_ns;
    due_.insert(std::move(node));
  }

  std::mutex mutex_;
  std::condition_variable changed_;  // an alarm is due earlier than all others were
  std::condition_variable rung_;
  std::set<std::pair<int64_t, Alarm*>> due_;  // every alarm there is, also when it is not set
  const Alarm* ringing_ = nullptr;
};

Alarm::Alarm(std::function<void()> ring) : ring_(std::move(ring)) { DeadlineThread::Process().Add(this); }

Alarm::~Alarm() { DeadlineThread::Process().Remove(this); }

void Alarm::Set(int64_t at_ns) noexcept { DeadlineThread::Process().Set(this, at_ns); }

}  // namespace penstock::pipeline
