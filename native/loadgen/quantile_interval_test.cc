#include "loadgen/quantile_interval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace penstock::loadgen {
namespace {

// By sums of choose(n, k) / 2^n, as every table of sign tests has them.
TEST(QuantileInterval, AgreesWithTheTablesForAMedian) {
  const RankInterval of_10 = QuantileInterval(10, 0.5, 0.95);
  EXPECT_EQ(of_10.low, 2u);
  EXPECT_EQ(of_10.high, 9u);
  const RankInterval of_100 = QuantileInterval(100, 0.5, 0.95);
  EXPECT_EQ(of_100.low, 40u);
  EXPECT_EQ(of_100.high, 61u);
}

TEST(QuantileInterval, SaysThatFewValuesTellNothingOfTheTail) {
  EXPECT_GT(QuantileInterval(100, 0.99, 0.95).high, 100u);
  EXPECT_EQ(QuantileInterval(5, 0.5, 0.95).low, 0u);
  EXPECT_LE(QuantileInterval(1000, 0.99, 0.95).high, 1000u);
}

TEST(QuantileInterval, CoversTheTrueQuantileAsOftenAsItSays) {
  Random random(9);
  int covered = 0;
  constexpr int kRounds = 2000;
  const RankInterval interval = QuantileInterval(500, 0.95, 0.95);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> values(500);
    for (double& value : values) value = random.Uniform();
    std::sort(values.begin(), values.end());
    covered += values[interval.low - 1] <= 0.95 && 0.95 < values[interval.high - 1] ? 1 : 0;
  }
  EXPECT_GE(covered, static_cast<int>(kRounds * (0.95 - 4 * 0.0049)));
  EXPECT_LE(covered, static_cast<int>(kRounds * 0.985));  // and is not needlessly wide
}

TEST(QuantileInterval, HoldsForManyValues) {
  const RankInterval interval = QuantileInterval(100'000'000, 0.99, 0.95);
  EXPECT_NEAR(static_cast<double>(interval.low), 99e6 - 1950, 30);
  EXPECT_NEAR(static_cast<double>(interval.high), 99e6 + 1950, 30);
}

}  // namespace
}  // namespace penstock::loadgen
