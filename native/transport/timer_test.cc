#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "base/clock.h"
#include "transport/event_loop.h"
#include "transport/test_loop.h"

namespace penstock::transport {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

TEST(TimerTest, FiresOnceAndNeverEarly) {
  const auto loop = StartLoop();
  std::promise<void> fired;
  std::atomic<int> fires{0};
  int64_t at = 0, came = 0;
  Timer timer(loop.get(), [&] {
    came = MonotonicNs();
    EXPECT_FALSE(timer.is_set());
    if (++fires == 1) fired.set_value();
  });
  RunOn(*loop, [&] {
    at = MonotonicNs() + 3 * kNsPerMs + 1;
    timer.SetAt(at);
    EXPECT_TRUE(timer.is_set());
  });
  ASSERT_TRUE(Comes(fired.get_future()));
  EXPECT_GE(came, at);
  LetTurnsPass(*loop);
  EXPECT_EQ(fires, 1);
  loop->Stop();
}

TEST(TimerTest, FiresInTheOrderOfTheirTimes) {
  const auto loop = StartLoop();
  std::string order;
  std::promise<void> done;
  Timer late(loop.get(), [&] {
    order += 'c';
    done.set_value();
  });
  Timer middle(loop.get(), [&] { order += 'b'; });
  Timer early(loop.get(), [&] { order += 'a'; });
  RunOn(*loop, [&] {
    const int64_t now = loop->now_ns();
    late.SetAt(now + 9 * kNsPerMs);
    early.SetAt(now + kNsPerMs);
    middle.SetAt(now + 5 * kNsPerMs);
  });
  ASSERT_TRUE(Comes(done.get_future()));
  EXPECT_EQ(order, "abc");
  loop->Stop();
}

TEST(TimerTest, TakesTheLastTimeThatWasSetWhetherLaterOrEarlier) {
  const auto loop = StartLoop();
  std::promise<void> put_off_fired, drawn_in_fired;
  int64_t at = 0, came = 0;
  Timer put_off(loop.get(), [&] {
    came = MonotonicNs();
    put_off_fired.set_value();
  });
  Timer drawn_in(loop.get(), [&] { drawn_in_fired.set_value(); });
  RunOn(*loop, [&] {
    const int64_t now = MonotonicNs();
    for (int i = 1; i <= 20; ++i) put_off.SetAt(at = now + i * kNsPerMs);
    drawn_in.SetAt(now + 3600 * kNsPerSecond);
    drawn_in.SetAt(now + kNsPerMs);
  });
  ASSERT_TRUE(Comes(put_off_fired.get_future()));
  EXPECT_GE(came, at);
  EXPECT_TRUE(Comes(drawn_in_fired.get_future()));
  loop->Stop();
}

TEST(TimerTest, DoesNotFireWhenItIsCancelledOrDestroyed) {
  const auto loop = StartLoop();
  std::atomic<int> fires{0};
  std::promise<void> later;
  Timer cancelled(loop.get(), [&] { ++fires; });
  auto destroyed = std::make_unique<Timer>(loop.get(), [&] { ++fires; });
  auto by_another = std::make_unique<Timer>(loop.get(), [&] { ++fires; });
  Timer destroying(loop.get(), [&] { by_another.reset(); });
  Timer last(loop.get(), [&] { later.set_value(); });
  RunOn(*loop, [&] {
    const int64_t at = loop->now_ns() + kNsPerMs;
    cancelled.SetAt(at);
    destroyed->SetAt(at);
    destroying.SetAt(at);
    by_another->SetAt(at);
    last.SetAt(at);
    cancelled.Cancel();
    destroyed.reset();
  });
  ASSERT_TRUE(Comes(later.get_future()));
  EXPECT_EQ(fires, 0);
  EXPECT_EQ(by_another, nullptr);
  loop->Stop();
}

TEST(TimerTest, CanBeSetAgainAfterItWasCancelled) {
  const auto loop = StartLoop();
  std::promise<void> fired;
  Timer timer(loop.get(), [&] { fired.set_value(); });
  RunOn(*loop, [&] {
    timer.SetAt(loop->now_ns() + 3600 * kNsPerSecond);
    timer.Cancel();
    EXPECT_FALSE(timer.is_set());
    timer.SetAt(loop->now_ns() + kNsPerMs);
  });
  EXPECT_TRUE(Comes(fired.get_future()));
  loop->Stop();
}

TEST(TimerTest, LeavesTheTurnToOthersWhenItSetsItselfToAPastTime) {
  const auto loop = StartLoop();
  std::atomic<int> fires{0};
  Timer timer(loop.get(), [&] {
    ++fires;
    timer.SetAt(1);
  });
  RunOn(*loop, [&] { timer.SetAt(1); });
  LetTurnsPass(*loop);
  EXPECT_GE(fires, 1);
  loop->Stop();
}

}  // namespace
}  // namespace penstock::transport
