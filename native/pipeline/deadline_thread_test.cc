#include "pipeline/deadline_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace penstock::pipeline {
namespace {

constexpr int64_t kMs = 1'000'000;

// Collects who rang when.
class Bell {
 public:
  std::function<void()> For(int who) {
    return [this, who] {
      const std::lock_guard<std::mutex> lock(mutex_);
      rings_.push_back(who);
      last_ns_ = MonotonicNs();
      changed_.notify_all();
    };
  }
  std::vector<int> WaitFor(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return rings_.size() >= count; });
    return rings_;
  }
  int64_t last_ns() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return last_ns_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> rings_;
  int64_t last_ns_ = 0;
};

TEST(Alarm, RingsInTheOrderOfTimesAndNeverEarly) {
  Bell bell;
  Alarm late(bell.For(2));
  Alarm early(bell.For(1));
  const int64_t now_ns = MonotonicNs();
  late.Set(now_ns + 500 * kMs);
  early.Set(now_ns + 10 * kMs);  // earlier than what the thread sleeps for
  EXPECT_EQ(bell.WaitFor(2), (std::vector<int>{1, 2}));
  EXPECT_GE(bell.last_ns(), now_ns + 500 * kMs);
}

TEST(Alarm, ForgetsTheTimeThatWasSetBefore) {
  Bell bell;
  Alarm moved(bell.For(1));
  Alarm other(bell.For(2));
  const int64_t now_ns = MonotonicNs();
  moved.Set(now_ns + 500 * kMs);
  moved.Set(now_ns + 3'600'000 * kMs);
  other.Set(now_ns + 510 * kMs);
  EXPECT_EQ(bell.WaitFor(1), (std::vector<int>{2}));
}

TEST(Alarm, MaySetItselfAgainWhileItRings) {
  Bell bell;
  std::unique_ptr<Alarm> alarm;
  std::atomic<int> left{3};
  alarm = std::make_unique<Alarm>([&, ring = bell.For(1)] {
    if (--left > 0) alarm->Set(MonotonicNs());
    ring();
  });
  alarm->Set(MonotonicNs());
  EXPECT_EQ(bell.WaitFor(3).size(), 3u);
}

TEST(Alarm, IsNotDestroyedWhileItRings) {
  std::atomic<bool> ringing{false};
  std::atomic<bool> rang{false};
  auto alarm = std::make_unique<Alarm>([&] {
    ringing = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    rang = true;
  });
  alarm->Set(MonotonicNs());
  while (!ringing) std::this_thread::yield();
  alarm.reset();
  EXPECT_TRUE(rang);
}

TEST(Alarm, NeverRingsAfterItsEnd) {
  for (int i = 0; i < 200; ++i) {
    auto alive = std::make_unique<std::atomic<bool>>(true);  // freed below: a late ring is a use after free
    auto alarm = std::make_unique<Alarm>([flag = alive.get()] { EXPECT_TRUE(flag->load()); });
    alarm->Set(MonotonicNs() + (i % 5) * 10'000);
    alarm.reset();
    *alive = false;
  }
}

}  // namespace
}  // namespace penstock::pipeline
