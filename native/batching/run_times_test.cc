#include "batching/run_times.h"

#include <gtest/gtest.h>

#include <random>

#include "batching/test_items.h"

namespace penstock::batching {
namespace {

RunTimes Known(const Curve& curve, std::initializer_list<int64_t> sizes) {
  RunTimes times;
  for (int64_t rows : sizes) {
    for (int i = 0; i < 3; ++i) times.Learn(rows, curve(rows), 0);
  }
  return times;
}

TEST(RunTimes, KnowsNothingAtFirst) {
  RunTimes times;
  EXPECT_TRUE(times.empty());
  EXPECT_EQ(times.Estimate(5), 0);
  EXPECT_EQ(times.Safe(5), 0);
  EXPECT_EQ(times.FixedShare(32), 0);
  EXPECT_FALSE(times.Fresh(5, 0));
}

TEST(RunTimes, InterpolatesBetweenSizesAndExtendsTheirSlope) {
  const RunTimes times = Known(kGpu, {1, 2, 4, 8});
  EXPECT_NEAR(static_cast<double>(times.Estimate(8)), static_cast<double>(kGpu(8)), 2);
  EXPECT_NEAR(static_cast<double>(times.Estimate(6)), static_cast<double>(kGpu(6)), 2);
  EXPECT_NEAR(static_cast<double>(times.Estimate(32)), static_cast<double>(kGpu(32)), 2);
}

TEST(RunTimes, NeverExpectsMoreThanProportionalTimeBeyondTheLargestSize) {
  RunTimes times;
  times.Learn(1, 1 * kMs, 0);
  EXPECT_EQ(times.Estimate(32), 32 * kMs) << "of one size nothing better is known";
  times.Learn(2, 2 * kMs, 0);
  times.Learn(2, 4 * kMs, 0);
  EXPECT_LE(times.Estimate(32), 16 * times.Estimate(2) + 1);
}

TEST(RunTimes, GivesASizeBelowTheSmallestTheTimeOfTheSmallest) {
  EXPECT_EQ(Known(kGpu, {8, 16}).Estimate(1), kGpu(8));
}

TEST(RunTimes, NeverFallsWithTheRowsHoweverNoisyTheSizes) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> noise(0.3, 3);
  for (int round = 0; round < 200; ++round) {
    RunTimes times;
    for (int64_t run = 0; run < 150; ++run) {
      const auto rows = static_cast<int64_t>(random() % 300);
      times.Learn(rows, static_cast<int64_t>(noise(random) * static_cast<double>(kGpu(rows))), run);
    }
    for (int64_t rows = 1; rows < 400; ++rows) ASSERT_GE(times.Estimate(rows), times.Estimate(rows - 1)) << rows;
  }
}

TEST(RunTimes, PoolsANoisySizeInsteadOfLiftingAllLargerOnes) {
  RunTimes times = Known(kGpu, {1, 16, 20, 32});
  RunTimes lifted = times;
  for (int i = 0; i < 3; ++i) lifted.Learn(12, 5 * kMs, 0);
  EXPECT_LT(lifted.Estimate(32), 4 * kMs) << "a running maximum would say 5 ms and more";
}

TEST(RunTimes, CountsOneOutlierForATenthOfWhatWasExpected) {
  RunTimes times = Known(kGpu, {1, 8, 32});
  for (int64_t run = 1; run <= 20; ++run) times.Learn(32, kGpu(32), run);
  const int64_t before = times.Safe(32);
  times.Learn(32, 50 * kGpu(32), 21);
  EXPECT_LT(static_cast<double>(times.Safe(32)), 1.25 * static_cast<double>(before));
}

TEST(RunTimes, ForgetsTheColdStartOfASize) {
  RunTimes times;
  times.Learn(4, 50 * kGpu(4), 0);
  times.Learn(4, kGpu(4), 0);
  times.Learn(4, kGpu(4), 0);
  EXPECT_EQ(times.Estimate(4), kGpu(4));
  EXPECT_DOUBLE_EQ(times.margin(), 0.01) << "nor does it speak for the margin";
}

TEST(RunTimes, KeepsTheMarginAboutWhereNineTenthsOfTheRunsStayBelow) {
  RunTimes times = Known(kGpu, {32});
  std::mt19937_64 random(5);
  std::normal_distribution<double> noise(1, 0.1);
  int above = 0;
  for (int64_t run = 1; run <= 4000; ++run) {
    const auto ns = static_cast<int64_t>(noise(random) * static_cast<double>(kGpu(32)));
    if (run > 1000 && ns > times.Safe(32)) ++above;
    times.Learn(32, ns, run);
  }
  EXPECT_NEAR(above / 3000.0, 0.1, 0.05);
}

TEST(RunTimes, KeepsTheMarginWithinItsBounds) {
  RunTimes times = Known(kGpu, {32});
  for (int64_t run = 1; run <= 300; ++run) times.Learn(32, kGpu(32) * (run % 3 == 0 ? 40 : 1), run);
  EXPECT_LE(times.margin(), 0.5);
  for (int64_t run = 301; run <= 3000; ++run) times.Learn(32, kGpu(32), run);
  EXPECT_DOUBLE_EQ(times.margin(), 0.01);
}

TEST(RunTimes, CallsASizeFreshWhileOneAboutAsLargeIsAmongTheLastRuns) {
  RunTimes times;
  times.Learn(24, kGpu(24), 10);
  EXPECT_TRUE(times.Fresh(32, 10 + RunTimes::kFreshRuns));
  EXPECT_TRUE(times.Fresh(1, 10));
  EXPECT_FALSE(times.Fresh(33, 10));
  EXPECT_FALSE(times.Fresh(32, 11 + RunTimes::kFreshRuns));
}

TEST(RunTimes, ReplacesAnEstimateThatNoRunHasBorneOutLately) {
  RunTimes times;
  for (int64_t rows : {1, 8, 16, 32}) {
    for (int i = 0; i < 3; ++i) times.Learn(rows, 3 * kGpu(rows), 0);
  }
  for (int64_t run = 1; run <= 100; ++run) times.Learn(1, kGpu(1), run);
  EXPECT_GT(times.Estimate(32), 2 * kGpu(32));
  times.Learn(32, kGpu(32), 101);
  EXPECT_LT(static_cast<double>(times.Estimate(32)), 1.15 * static_cast<double>(kGpu(32)));
}

TEST(RunTimes, ForgetsAnOldSizeWhenOneNearItRuns) {
  RunTimes times;
  for (int i = 0; i < 3; ++i) times.Learn(32, 3 * kGpu(32), 0);
  for (int64_t run = 100; run <= 140; ++run) times.Learn(30, kGpu(30), run);
  EXPECT_LT(static_cast<double>(times.Estimate(32)), 1.1 * static_cast<double>(kGpu(32)));
}

TEST(RunTimes, SaysWhichShareOfALoneRowsRunIsFixed) {
  EXPECT_NEAR(Known(kGpu, {1, 2, 4, 8, 16, 32}).FixedShare(32), 2.0 / 2.05, 0.001);
  EXPECT_NEAR(Known(kCpu, {1, 2, 4, 8, 16, 32}).FixedShare(32), 0.2 / 1.2, 0.001);
}

TEST(RunTimes, SeesThroughNoiseThatRowsCostMost) {
  RunTimes times;
  times.Learn(1, kCpu(1), 0);
  times.Learn(16, kCpu(16) * 105 / 100, 0);
  times.Learn(32, kCpu(32) * 95 / 100, 0);
  EXPECT_LT(times.FixedShare(32), 0.3);
}

TEST(RunTimes, TakesNothingForFixedOfASingleSize) {
  RunTimes times;
  times.Learn(16, kGpu(16), 0);
  EXPECT_EQ(times.FixedShare(32), 0);
  EXPECT_EQ(times.FixedShare(16), 0);
}

TEST(RunTimes, SharesACellAmongLargeSizesThatAreClose) {
  RunTimes times;
  times.Learn(990, 10 * kMs, 0);
  times.Learn(1000, 20 * kMs, 0);
  EXPECT_EQ(times.Estimate(990), 15 * kMs);
}

TEST(RunTimes, HoldsForAnyNumbers) {
  RunTimes times;
  times.Learn(INT64_MAX, INT64_MAX, 0);
  times.Learn(0, 0, 1);
  times.Learn(-5, -5, 2);
  EXPECT_GE(times.Estimate(INT64_MAX), times.Estimate(1));
  EXPECT_GT(times.Safe(INT64_MAX), 0);
}

}  // namespace
}  // namespace penstock::batching
