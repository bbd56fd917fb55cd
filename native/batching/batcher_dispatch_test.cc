// What Batcher::Next starts, when, and what it and Expire end.
#include <gtest/gtest.h>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

constexpr int64_t kNow = 1000 * kMs;

TEST(BatcherNext, StartsWhatThereIsAtOnce) {
  Batcher batcher(Merging(32));
  const auto* first = Put(&batcher, kNow, {3});
  const auto* second = Put(&batcher, kNow, {2});
  EXPECT_EQ(Raw(batcher.Next(0, kNow).batch), (Items{first, second}));
  const Batcher::Step step = batcher.Next(0, kNow);
  EXPECT_TRUE(step.batch.empty());
  EXPECT_EQ(step.wait_until_ns, INT64_MAX);
}

TEST(BatcherNext, GivesHigherPrioritiesFirstAndFillsUpWithLower) {
  BatchingOptions options = Merging(3);
  options.queue.priority_levels = 2;
  options.queue.default_priority_level = 2;
  Batcher batcher(options);
  const auto* low = Put(&batcher, kNow);
  Put(&batcher, kNow);
  const auto* high = Put(&batcher, kNow, {1, 0, 1});
  const auto* second = Put(&batcher, kNow, {1, 0, 1});
  EXPECT_EQ(Raw(batcher.Next(0, kNow).batch), (Items{high, second, low}));
}

TEST(BatcherNext, DropsAHeadThatCannotFinishEvenAlone) {
  Batcher batcher(Merging(32));
  WarmUp(&batcher, kGpu);
  Put(&batcher, kNow);
  (void)batcher.Next(0, kNow);
  const auto* hopeless = Put(&batcher, kNow, {1, kNow + 8 * kMs});
  const auto* patient = Put(&batcher, kNow);
  batcher.Finished(0, kNow + 7 * kMs, true);
  const Batcher::Step step = batcher.Next(0, kNow + 7 * kMs);
  ASSERT_EQ(step.dropped.size(), 1u);
  EXPECT_EQ(step.dropped[0].item.get(), hopeless);
  EXPECT_EQ(step.dropped[0].status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(step.dropped[0].status.message().rfind("Request timeout expired: the run would take", 0), 0u) << step.dropped[0].status.message();
  EXPECT_EQ(Raw(step.batch), (Items{patient}));
}

TEST(BatcherNext, DropsNothingByAnEstimateWithoutARecentRun) {
  Batcher batcher(Merging(32));
  WarmUp(&batcher, kGpu, 100);
  int64_t now = kNow;
  for (int64_t run = 0; run <= RunTimes::kFreshRuns; ++run) {
    Put(&batcher, now);
    EXPECT_EQ(batcher.Next(0, now).batch.size(), 1u);
    now += kGpu(1);
    batcher.Finished(0, now, true);
  }
  Put(&batcher, now);
  EXPECT_EQ(batcher.Next(0, now).batch.size(), 1u);
  const auto* item = Put(&batcher, now, {16, now + 20 * kMs});
  ASSERT_NE(item, nullptr);
  batcher.Finished(0, now + kGpu(1), true);
  EXPECT_EQ(Raw(batcher.Next(0, now + kGpu(1)).batch), (Items{item})) << "its run is what corrects the estimate";
}

TEST(BatcherNext, NeverShrinksABatchForTheDeadlineOfItsHead) {
  Batcher batcher(Merging(32));
  WarmUp(&batcher, kCpu);
  Put(&batcher, kNow);
  (void)batcher.Next(0, kNow);
  // Alone it could still finish, in the whole batch it cannot.
  const auto* head = Put(&batcher, kNow, {1, kNow + 40 * kMs});
  for (int i = 0; i < 31; ++i) Put(&batcher, kNow);
  batcher.Finished(0, kNow + 30 * kMs, true);
  const Batcher::Step step = batcher.Next(0, kNow + 30 * kMs);
  EXPECT_EQ(step.batch.size(), 32u);
  EXPECT_EQ(step.batch.front().get(), head);
}

TEST(BatcherNext, NeverRunsWhatHasExpired) {
  Batcher batcher(Merging(32));
  ItemSpec spec;
  spec.timeout_us = 5000;
  const auto* late = Put(&batcher, kNow, spec);
  const auto* patient = Put(&batcher, kNow);
  const Batcher::Step step = batcher.Next(0, kNow + 5 * kMs);
  EXPECT_EQ(Raw(step.batch), (Items{patient}));
  ASSERT_EQ(step.dropped.size(), 1u);
  EXPECT_EQ(step.dropped[0].item.get(), late);
  EXPECT_EQ(step.dropped[0].status.code(), StatusCode::kRequestTimeout);
}

TEST(BatcherNext, RunsNothingThatExpiredJustAfterTheLastExpiry) {
  BatchingOptions waiting = Merging(4);
  waiting.max_delay_ns = kMs;
  for (const BatchingOptions& options : {Merging(4), waiting}) {
    Batcher batcher(options);
    WarmUp(&batcher, kCpu);
    ItemSpec spec;
    spec.timeout_us = 5000;
    Put(&batcher, kNow - 1, spec);
    const auto* late = Put(&batcher, kNow, spec);
    const auto* patient = Put(&batcher, kNow);
    std::vector<Batcher::Dropped> dropped;
    batcher.Expire(kNow + 5 * kMs - 1, &dropped);
    ASSERT_EQ(dropped.size(), 1u);
    ASSERT_GT(batcher.next_expiry_ns(), kNow + 5 * kMs) << "or this shows nothing";
    const Batcher::Step step = batcher.Next(0, kNow + 5 * kMs);
    EXPECT_EQ(Raw(step.batch), (Items{patient}));
    ASSERT_EQ(step.dropped.size(), 1u);
    EXPECT_EQ(step.dropped[0].item.get(), late);
    EXPECT_NE(step.dropped[0].status.message().find("it waited in the queue"), std::string::npos);
  }
}

TEST(BatcherNext, WaitsForTheConfiguredDelay) {
  BatchingOptions options = Merging(4);
  options.max_delay_ns = 2 * kMs;
  Batcher batcher(options);
  Put(&batcher, kNow);
  Batcher::Step step = batcher.Next(0, kNow + kMs);
  EXPECT_TRUE(step.batch.empty());
  EXPECT_EQ(step.wait_until_ns, kNow + 2 * kMs);
  Put(&batcher, kNow + kMs, {3});
  EXPECT_EQ(batcher.Next(0, kNow + kMs).batch.size(), 2u) << "a full batch waits for nothing";
  batcher.Finished(0, kNow + 2 * kMs, true);
  Put(&batcher, kNow + 2 * kMs);
  EXPECT_EQ(batcher.Next(0, kNow + 4 * kMs).batch.size(), 1u) << "its oldest item has waited for the delay";
}

TEST(BatcherNext, WaitsForCompanyNoLongerThanTheGoalOrTheDeadlineAllows) {
  BatchingOptions options = Merging(8);
  options.max_delay_ns = 10 * kMs;
  for (int64_t goal_ns : {int64_t{0}, 5 * kMs}) {
    options.latency_goal_ns = goal_ns;
    const ItemSpec spec{1, goal_ns == 0 ? kNow + 5 * kMs : 0};
    Batcher untaught(options);
    Put(&untaught, kNow, spec);
    EXPECT_EQ(untaught.Next(0, kNow).batch.size(), 1u) << "who knows how long a run takes";

    Batcher batcher(options);
    WarmUp(&batcher, kGpu);
    Put(&batcher, kNow, spec);
    Batcher::Step step = batcher.Next(0, kNow);
    EXPECT_TRUE(step.batch.empty());
    const auto two_rows_safe = static_cast<double>(kGpu(2)) * 1.01;
    EXPECT_NEAR(static_cast<double>(step.wait_until_ns - kNow), 5e6 - two_rows_safe, 10);
    step = batcher.Next(0, step.wait_until_ns);
    EXPECT_EQ(step.batch.size(), 1u);
    EXPECT_TRUE(step.dropped.empty());
  }
}

TEST(BatcherNext, TakesTheLatencyGoalForNoTimeoutWhereTheConfigurationDecides) {
  BatchingOptions options = Merging(8);
  options.max_delay_ns = 10 * kMs;
  options.latency_goal_ns = 5 * kMs;
  Batcher batcher(options);
  Put(&batcher, kNow);
  EXPECT_EQ(batcher.next_expiry_ns(), INT64_MAX);
  const Batcher::Step step = batcher.Next(0, kNow + 6 * kMs);
  EXPECT_EQ(step.batch.size(), 1u);
  EXPECT_TRUE(step.dropped.empty());
}

TEST(BatcherNext, DropsNothingForAPredictionWhereTheConfigurationDecides) {
  BatchingOptions options = Merging(4);
  options.preferred_rows = {4};
  Batcher batcher(options);
  WarmUp(&batcher, kGpu, 100);
  const auto* item = Put(&batcher, kNow, {1, kNow + kMs});
  EXPECT_EQ(Raw(batcher.Next(0, kNow).batch), (Items{item}));
}

// Two lanes, the first has just started one row.
Batcher HalfBusy(const Curve& curve) {
  Batcher batcher(Merging(32, 2));
  WarmUp(&batcher, curve);
  Put(&batcher, kNow);
  EXPECT_EQ(batcher.Next(0, kNow).batch.size(), 1u);
  return batcher;
}

TEST(BatcherNext, SpacesLanesWhereFixedCostDominates) {
  Batcher batcher = HalfBusy(kGpu);
  Put(&batcher, kNow);
  const Batcher::Step step = batcher.Next(1, kNow);
  EXPECT_TRUE(step.batch.empty());
  // phi * s(1) / 2 lanes: half of the fixed cost.
  EXPECT_NEAR(static_cast<double>(step.wait_until_ns - kNow), 1e6, 1e4);
  EXPECT_EQ(batcher.Next(1, step.wait_until_ns).batch.size(), 1u);
}

TEST(BatcherNext, SpacesNothingWhereRowsDominateOrTheOtherLaneIsFree) {
  Batcher rows = HalfBusy(kCpu);
  Put(&rows, kNow);
  EXPECT_EQ(rows.Next(1, kNow).batch.size(), 1u);

  Batcher idle = HalfBusy(kGpu);
  idle.Finished(0, kNow + kMs / 10, false);
  Put(&idle, kNow + kMs / 10);
  EXPECT_EQ(idle.Next(1, kNow + kMs / 10).batch.size(), 1u);
}

TEST(BatcherNext, SpacesNeitherAFullBatchNorOneThatLeavesWorkBehind) {
  Batcher full = HalfBusy(kGpu);
  Put(&full, kNow, {32});
  EXPECT_EQ(full.Next(1, kNow).batch.size(), 1u);

  Batcher behind = HalfBusy(kGpu);
  Put(&behind, kNow, {20});
  Put(&behind, kNow, {20});
  EXPECT_EQ(behind.Next(1, kNow).batch.size(), 1u);
}

TEST(BatcherNext, SpacesNoFurtherThanTheEarliestDeadlineAllows) {
  Batcher batcher = HalfBusy(kGpu);
  Put(&batcher, kNow, {1, kNow + 5 * kMs / 2});
  const Batcher::Step step = batcher.Next(1, kNow);
  EXPECT_TRUE(step.batch.empty());
  const auto two_rows_safe = static_cast<double>(kGpu(2)) * 1.01;
  EXPECT_NEAR(static_cast<double>(step.wait_until_ns - kNow), 2.5e6 - two_rows_safe, 10);
}

TEST(BatcherFinished, LearnsOnlyFromRunsThatSaySomething) {
  for (bool learn : {true, false}) {
    Batcher batcher(Merging(1));
    Put(&batcher, kNow);
    (void)batcher.Next(0, kNow);
    batcher.Finished(0, kNow + 10 * kMs, learn);
    Put(&batcher, kNow + 10 * kMs);
    (void)batcher.Next(0, kNow + 10 * kMs);
    const bool taken = Put(&batcher, kNow + 10 * kMs, {1, kNow + 15 * kMs}) != nullptr;
    EXPECT_EQ(taken, !learn);
  }
}

TEST(BatcherExpire, EndsWhatIsOverWhileAllLanesAreBusyAndSaysHowLongItWaited) {
  Batcher batcher(Merging(1));
  Put(&batcher, kNow);
  (void)batcher.Next(0, kNow);
  ItemSpec spec;
  spec.timeout_us = 5000;
  const auto* late = Put(&batcher, kNow, spec);
  EXPECT_EQ(batcher.next_expiry_ns(), kNow + 5 * kMs);
  std::vector<Batcher::Dropped> dropped;
  batcher.Expire(kNow + 6 * kMs, &dropped);
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].item.get(), late);
  EXPECT_EQ(dropped[0].status.message().rfind("Request timeout expired: it waited in the queue for 6.0 ms", 0), 0u)
      << dropped[0].status.message();
  EXPECT_EQ(batcher.next_expiry_ns(), INT64_MAX);
}

TEST(BatcherExpire, PutsBackWhatItsPolicyDelays) {
  BatchingOptions options = Merging(1);
  options.queue.default_policy = {TimeoutAction::kDelay, 5000, false, 0};
  Batcher batcher(options);
  const auto* slow = Put(&batcher, kNow);
  const auto* other = Put(&batcher, kNow + kMs);
  std::vector<Batcher::Dropped> dropped;
  batcher.Expire(kNow + 5 * kMs, &dropped);
  EXPECT_TRUE(dropped.empty());
  EXPECT_EQ(batcher.next_expiry_ns(), kNow + 6 * kMs);
  EXPECT_EQ(Raw(batcher.Next(0, kNow + 5 * kMs).batch), (Items{other}));
  batcher.Finished(0, kNow + 5 * kMs, true);
  EXPECT_EQ(Raw(batcher.Next(0, kNow + 5 * kMs).batch), (Items{slow}));
}

TEST(BatcherExpire, MakesProgressWheneverItIsCalledWhenItAsksFor) {
  Batcher batcher(Merging(1));
  Put(&batcher, kNow, {1, kNow + kMs});
  Put(&batcher, kNow, {1, kNow + 2 * kMs});
  EXPECT_EQ(batcher.Next(0, kNow).batch.size(), 1u);
  const int64_t stale = batcher.next_expiry_ns();
  std::vector<Batcher::Dropped> dropped;
  batcher.Expire(stale, &dropped);
  EXPECT_GT(batcher.next_expiry_ns(), stale);
}

TEST(Batcher, GivesBackWhatIsRemovedOrTakenOut) {
  Batcher batcher(Merging(4));
  const auto* first = Put(&batcher, kNow);
  auto item = MakeItem();
  const auto cancelled = item;
  ASSERT_TRUE(batcher.Offer(&item, kNow).ok());
  EXPECT_TRUE(batcher.Remove(cancelled.get()));
  EXPECT_FALSE(batcher.Remove(cancelled.get()));
  EXPECT_EQ(batcher.size(), 1u);
  EXPECT_EQ(Raw(batcher.TakeAll()), (Items{first}));
  EXPECT_EQ(batcher.size(), 0u);
  EXPECT_EQ(batcher.bytes(), 0u);
}

}  // namespace
}  // namespace penstock::batching
