// Alarms: a call at a given time, on time however busy everybody else is.
//
// One thread serves the whole process. It starts with the first alarm and is never destroyed, because alarms may outlive static objects.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace penstock::pipeline {

class Alarm {
 public:
  // `ring` is called on the thread of all alarms: it must not block, must not throw, and must not destroy this alarm.
  // Throws std::bad_alloc, and std::system_error when the machine has no thread left for the first one.
  explicit Alarm(std::function<void()> ring);
  // Waits for a ring in progress; none begins after it. The caller holds no lock that `ring` takes.
  ~Alarm();
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // [any thread, also from `ring`] Rings once at this monotonic time, or at once when it has passed; replaces what was set before.
  void Set(int64_t at_ns) noexcept;

 private:
  friend class DeadlineThread;
  static constexpr int64_t kNever = INT64_MAX;
  const std::function<void()> ring_;
  int64_t at_ns_ = kNever;  // guarded by the lock of the deadline thread
};

}  // namespace penstock::pipeline
