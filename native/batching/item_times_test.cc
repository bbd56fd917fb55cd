#include "batching/item_times.h"

#include <gtest/gtest.h>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

constexpr int64_t kNow = 1000 * kMs;

QueueItem Stamped(const QueuePolicy& policy, uint64_t timeout_us, int64_t deadline_ns = 0, int64_t goal_ns = 0, int64_t max_delay_ns = 0) {
  BatchingOptions options;
  options.latency_goal_ns = goal_ns;
  options.max_delay_ns = max_delay_ns;
  QueueItem item;
  item.timeout_us = timeout_us;
  item.deadline_ns = deadline_ns;
  StampTimes(&item, policy, options, kNow);
  return item;
}

TEST(StampTimes, GivesNoMomentsWhereNobodyAsksForAny) {
  const QueueItem item = Stamped({}, 0);
  EXPECT_EQ(item.enqueued_ns, kNow);
  EXPECT_EQ(item.finish_by_ns, 0);
  EXPECT_EQ(item.expires_ns, 0);
  EXPECT_EQ(item.delays_ns, 0);
}

TEST(StampTimes, TakesTheTimeoutOfARequestAsItsDeadlineWhereTheModelHasNoDefault) {
  const QueueItem item = Stamped({}, 5000);
  EXPECT_EQ(item.finish_by_ns, kNow + 5 * kMs);
  EXPECT_EQ(item.expires_ns, kNow + 5 * kMs);
}

TEST(StampTimes, LetsADefaultTimeoutEndTheWaitingButNotPlanTheRun) {
  const QueueItem item = Stamped({TimeoutAction::kReject, 7000, false, 0}, 5000);
  EXPECT_EQ(item.finish_by_ns, 0) << "the request's own timeout must not count without allow_timeout_override";
  EXPECT_EQ(item.expires_ns, kNow + 7 * kMs);
}

TEST(StampTimes, TakesTheSmallerTimeoutWhereOverridingIsAllowed) {
  const QueuePolicy policy{TimeoutAction::kReject, 7000, true, 0};
  EXPECT_EQ(Stamped(policy, 5000).expires_ns, kNow + 5 * kMs);
  EXPECT_EQ(Stamped(policy, 5000).finish_by_ns, kNow + 5 * kMs);
  EXPECT_EQ(Stamped(policy, 9000).expires_ns, kNow + 7 * kMs);
  EXPECT_EQ(Stamped(policy, 0).expires_ns, kNow + 7 * kMs);
}

TEST(StampTimes, TakesTheEarlierOfDeadlineAndTimeout) {
  EXPECT_EQ(Stamped({}, 5000, kNow + 3 * kMs).finish_by_ns, kNow + 3 * kMs);
  EXPECT_EQ(Stamped({}, 2000, kNow + 3 * kMs).finish_by_ns, kNow + 2 * kMs);
}

TEST(StampTimes, PlansForTheLatencyGoalOnlyWithoutADeadlineOfTheRequest) {
  EXPECT_EQ(Stamped({}, 0, 0, 20 * kMs).finish_by_ns, kNow + 20 * kMs);
  EXPECT_EQ(Stamped({}, 0, 0, 20 * kMs).expires_ns, kNow + 20 * kMs);
  EXPECT_EQ(Stamped({}, 0, kNow + 50 * kMs, 20 * kMs).finish_by_ns, kNow + 50 * kMs);
}

TEST(StampTimes, TakesTheLatencyGoalForNoTimeoutWhereTheConfigurationSaysWhenBatchesStart) {
  EXPECT_EQ(Stamped({}, 0, 0, 20 * kMs, 1).finish_by_ns, kNow + 20 * kMs);
  EXPECT_EQ(Stamped({}, 0, 0, 20 * kMs, 1).expires_ns, 0);
  EXPECT_EQ(Stamped({}, 5000, 0, 20 * kMs, 1).expires_ns, kNow + 5 * kMs) << "what the client asks for is one";
}

TEST(StampTimes, DelaysInsteadOfExpiringWhereThePolicySaysSo) {
  const QueuePolicy policy{TimeoutAction::kDelay, 7000, true, 0};
  const QueueItem item = Stamped(policy, 5000, kNow + 40 * kMs);
  EXPECT_EQ(item.delays_ns, kNow + 5 * kMs);
  EXPECT_EQ(item.expires_ns, kNow + 40 * kMs);
  EXPECT_EQ(item.finish_by_ns, kNow + 40 * kMs);
  EXPECT_EQ(Stamped(policy, 5000).expires_ns, 0);
}

TEST(StampTimes, EndsAtTheLastMomentWhereATimeoutOverflows) {
  EXPECT_EQ(Stamped({}, UINT64_MAX).expires_ns, INT64_MAX);
  EXPECT_EQ(Stamped({}, static_cast<uint64_t>(INT64_MAX) / 1000).expires_ns, INT64_MAX);
  EXPECT_EQ(Stamped({}, 0, 0, INT64_MAX).finish_by_ns, INT64_MAX);
}

}  // namespace
}  // namespace penstock::batching
