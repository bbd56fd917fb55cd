// What Batcher::Offer lets in, refuses, and says.
#include <gtest/gtest.h>

#include <utility>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

constexpr int64_t kNow = 1000 * kMs;
// Where a warm-up saw no noise, plans count with the least margin, 0.01.
int64_t Safe(const Curve& curve, int64_t rows) { return curve(rows) + curve(rows) / 100; }

Status Offered(Batcher* batcher, const ItemSpec& spec, int64_t now_ns = kNow) {
  auto item = MakeItem(spec);
  return batcher->Offer(&item, now_ns);
}

// A warmed-up batcher whose lane 0 has just started a run of `rows` rows.
Batcher Running(BatchingOptions options, int64_t rows, const Curve& curve = kGpu) {
  Batcher batcher(std::move(options));
  WarmUp(&batcher, curve);
  Put(&batcher, kNow, {rows});
  EXPECT_EQ(batcher.Next(0, kNow).batch.size(), 1u);
  return batcher;
}

// By how much later than `safe_ns` from now a deadline must lie: the offer is taken at it and refused well before.
void ExpectFinishPredicted(Batcher batcher, ItemSpec spec, int64_t safe_ns) {
  Batcher same = batcher;
  spec.deadline_ns = kNow + safe_ns - kMs / 100;
  EXPECT_EQ(Offered(&batcher, spec).code(), StatusCode::kDeadlineUnreachable);
  spec.deadline_ns = kNow + safe_ns + kMs / 100;
  EXPECT_TRUE(Offered(&same, spec).ok());
}

TEST(BatcherOffer, RefusesAnItemWhoseDeadlineHasPassed) {
  Batcher batcher(Merging(32));
  const Status status = Offered(&batcher, {1, kNow});
  EXPECT_EQ(status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(status.message().rfind("Request timeout expired", 0), 0u) << status.message();
}

TEST(BatcherOffer, CountsOnAFullOwnBatchWhileTheLaneRuns) {
  ExpectFinishPredicted(Running(Merging(32), 32), {1}, Safe(kGpu, 32) + Safe(kGpu, 32));
}

TEST(BatcherOffer, CountsEachFullBatchThatWaitsAhead) {
  Batcher batcher = Running(Merging(32), 32);
  for (int i = 0; i < 4; ++i) Put(&batcher, kNow, {16});
  ExpectFinishPredicted(batcher, {1}, 4 * Safe(kGpu, 32));
}

TEST(BatcherOffer, CountsOnlyWhatIsKnownWhereALaneIsFree) {
  Batcher batcher(Merging(32));
  WarmUp(&batcher, kGpu);
  Put(&batcher, kNow, {7});
  ExpectFinishPredicted(batcher, {9}, Safe(kGpu, 16));
}

TEST(BatcherOffer, CountsEveryItemAsARunOfItsOwnWithoutMerging) {
  BatchingOptions options = Merging(32);
  options.merge = false;
  Batcher batcher = Running(options, 8);
  Put(&batcher, kNow, {2});
  Put(&batcher, kNow, {4});
  ExpectFinishPredicted(batcher, {1}, Safe(kGpu, 8) + Safe(kGpu, 2) + Safe(kGpu, 4) + Safe(kGpu, 1));
}

TEST(BatcherOffer, CountsWorkOfOtherGroupsAsBatchesOfTheirOwn) {
  Batcher batcher = Running(Merging(32), 32, kCpu);
  ItemSpec wide{16};
  wide.group = "wide";
  Put(&batcher, kNow, wide);
  Put(&batcher, kNow, {8});
  ExpectFinishPredicted(batcher, {8}, Safe(kCpu, 32) + Safe(kCpu, 16) + Safe(kCpu, 16));
  ExpectFinishPredicted(batcher, wide, Safe(kCpu, 32) + Safe(kCpu, 32));
  ItemSpec third{4};
  third.group = "third";
  ExpectFinishPredicted(batcher, third, Safe(kCpu, 32) + Safe(kCpu, 16) + Safe(kCpu, 8) + Safe(kCpu, 4));
}

TEST(BatcherOffer, CountsAnInterruptedGroupAsSeveralBatchesWhereOrderingIsPreserved) {
  BatchingOptions options = Merging(32);
  options.preserve_ordering = true;
  Batcher batcher = Running(options, 32, kCpu);
  ItemSpec wide{16};
  wide.group = "wide";
  Put(&batcher, kNow, wide);
  Put(&batcher, kNow, {8});
  ExpectFinishPredicted(batcher, {8}, Safe(kCpu, 32) + Safe(kCpu, 16) + Safe(kCpu, 16));
  ExpectFinishPredicted(batcher, wide, Safe(kCpu, 32) + Safe(kCpu, 16) + Safe(kCpu, 8) + Safe(kCpu, 16));
}

TEST(BatcherOffer, CountsOnlyLevelsThatRunBefore) {
  BatchingOptions options = Merging(32);
  options.queue.priority_levels = 2;
  options.queue.default_priority_level = 2;
  Batcher batcher = Running(options, 32);
  for (int i = 0; i < 4; ++i) Put(&batcher, kNow, {16});
  ItemSpec high;
  high.priority = 1;
  ExpectFinishPredicted(batcher, high, 2 * Safe(kGpu, 32));
  ExpectFinishPredicted(batcher, {1}, 4 * Safe(kGpu, 32));
}

TEST(BatcherOffer, SharesTheWorkAheadAmongLanes) {
  Batcher batcher = Running(Merging(32, 2), 32);
  Put(&batcher, kNow, {32});
  EXPECT_EQ(batcher.Next(1, kNow).batch.size(), 1u);
  for (int i = 0; i < 4; ++i) Put(&batcher, kNow, {16});
  ExpectFinishPredicted(batcher, {1}, 3 * Safe(kGpu, 32));
}

TEST(BatcherOffer, ExpectsAnOverdueLaneToStayBusyForAsLongAgain) {
  Batcher batcher = Running(Merging(32), 32);
  const int64_t later = kNow + 3 * Safe(kGpu, 32);  // twice its time overdue
  EXPECT_EQ(Offered(&batcher, {1, later + 2 * Safe(kGpu, 32)}, later).code(), StatusCode::kDeadlineUnreachable);
  EXPECT_TRUE(Offered(&batcher, {1, later + 3 * Safe(kGpu, 32) + kMs}, later).ok());
}

TEST(BatcherOffer, SaysWhatIsExpectedWhatRemainsAndWhoWaits) {
  Batcher batcher = Running(Merging(32), 32);
  Put(&batcher, kNow);
  const Status status = Offered(&batcher, {1, kNow + 5 * kMs});
  EXPECT_EQ(status.code(), StatusCode::kDeadlineUnreachable);
  EXPECT_NE(status.message().find("expected in 7.3 ms, 5.0 ms remain; 1 requests are waiting"), std::string::npos) << status.message();
  EXPECT_GT(status.retry_after_ms(), 0);
}

TEST(BatcherOffer, LeavesARefusedItemWithItsCaller) {
  Batcher batcher = Running(Merging(32), 32);
  auto item = MakeItem({1, kNow + 5 * kMs});
  EXPECT_FALSE(batcher.Offer(&item, kNow).ok());
  EXPECT_NE(item, nullptr);
  item->deadline_ns = 0;
  EXPECT_TRUE(batcher.Offer(&item, kNow).ok());
  EXPECT_EQ(item, nullptr);
}

TEST(BatcherOffer, PlansForTheLatencyGoalOfAnItemWithoutADeadline) {
  BatchingOptions options = Merging(32);
  options.latency_goal_ns = 5 * kMs;
  Batcher batcher = Running(options, 32);
  EXPECT_EQ(Offered(&batcher, {1}).code(), StatusCode::kDeadlineUnreachable);
  EXPECT_TRUE(Offered(&batcher, {1, kNow + 50 * kMs}).ok());
}

TEST(BatcherOffer, PredictsNothingWhereTheConfigurationSaysWhenBatchesStart) {
  BatchingOptions options = Merging(32);
  options.max_delay_ns = kMs;
  Batcher batcher(options);
  WarmUp(&batcher, kGpu);
  Put(&batcher, kNow, {32});
  EXPECT_EQ(batcher.Next(0, kNow).batch.size(), 1u);
  EXPECT_TRUE(Offered(&batcher, {1, kNow + 1}).ok());
}

TEST(BatcherOffer, RefusesNothingOnAnIdleServer) {
  BatchingOptions options = Merging(32);
  options.queue.max_items = 1;
  options.queue.max_bytes = 10;
  Batcher batcher(options);
  WarmUp(&batcher, kGpu, 1000);
  ItemSpec spec{1, kNow + 1};
  spec.bytes = 1000;
  const auto* item = Put(&batcher, kNow, spec);
  ASSERT_NE(item, nullptr);
  const Batcher::Step step = batcher.Next(0, kNow);
  EXPECT_EQ(Raw(step.batch), (Items{item})) << "nor is it dropped for the same prediction";
}

TEST(BatcherOffer, HoldsItsBoundsOnceALaneRuns) {
  BatchingOptions options = Merging(32);
  options.queue.max_items = 3;
  Batcher batcher = Running(options, 32);
  for (int i = 0; i < 3; ++i) EXPECT_NE(Put(&batcher, kNow, {32}), nullptr);
  const Status status = Offered(&batcher, {1});
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_NEAR(static_cast<double>(status.retry_after_ms()), 12, 1) << "three full runs of 3.6 ms, and its own row";
}

TEST(BatcherOffer, RefusesNobodyByAnEstimateWithoutARecentRunUntilAFullBatchWaits) {
  Batcher batcher(Merging(4));
  WarmUp(&batcher, kGpu, 100);
  int64_t now = kNow;
  const auto run_alone = [&] {
    Put(&batcher, now);
    EXPECT_EQ(batcher.Next(0, now).batch.size(), 1u);
    now += kGpu(1);
  };
  run_alone();
  EXPECT_EQ(Offered(&batcher, {1, now + 20 * kMs}, now).code(), StatusCode::kDeadlineUnreachable) << "the warm-up is recent enough";
  for (int64_t i = 0; i <= RunTimes::kFreshRuns; ++i) {
    batcher.Finished(0, now, true);
    run_alone();
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Offered(&batcher, {1, now + 20 * kMs}, now).ok()) << i;
  EXPECT_EQ(Offered(&batcher, {1, now + 20 * kMs}, now).code(), StatusCode::kDeadlineUnreachable);
  batcher.Finished(0, now, true);
  EXPECT_EQ(batcher.Next(0, now).batch.size(), 4u);
  batcher.Finished(0, now + kGpu(4), true);
  run_alone();
  EXPECT_TRUE(Offered(&batcher, {1, now + 20 * kMs}, now).ok()) << "that run has shown how long four rows take";
}

TEST(BatcherOffer, AcceptsWhatItKnowsNothingAbout) {
  Batcher batcher(Merging(4));
  Put(&batcher, kNow);
  EXPECT_EQ(batcher.Next(0, kNow).batch.size(), 1u);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Offered(&batcher, {1, kNow + kMs}).ok());
}

TEST(BatcherOffer, UsesTheTimesOfFewerLanesUntilThoseOfMoreAreKnown) {
  Batcher batcher = Running(Merging(32, 2), 32);
  Put(&batcher, kNow, {32});
  EXPECT_EQ(batcher.Next(1, kNow).batch.size(), 1u);
  ExpectFinishPredicted(batcher, {1}, 2 * Safe(kGpu, 32));
  WarmUp(&batcher, kGpu, 2, 2);
  EXPECT_EQ(Offered(&batcher, {1, kNow + 2 * Safe(kGpu, 32) + kMs}).code(), StatusCode::kDeadlineUnreachable) << "lanes share a device";
}

}  // namespace
}  // namespace penstock::batching
