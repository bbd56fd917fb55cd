#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/histogram.h"
#include "base/random.h"

namespace penstock {
namespace {

TEST(Histogram, AnswersWithinItsErrorAtEveryRank) {
  Random random(1);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<int64_t>(std::exp(43 * random.Uniform())));  // up to 2^62, evenly over the powers
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); i += 37) {
    const auto exact = static_cast<double>(values[i]);
    EXPECT_NEAR(static_cast<double>(histogram.AtRank(i + 1)), exact, Histogram::kLargestRelativeError * exact) << i;
  }
  EXPECT_EQ(histogram.AtRank(values.size()), values.back());
  EXPECT_EQ(histogram.max_ns(), values.back());
}

TEST(Histogram, TakesTheLargestAndTheSmallestDurations) {
  Histogram histogram;
  histogram.Record(-5);
  histogram.Record(0);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.AtRank(1), 0);
  EXPECT_EQ(histogram.AtRank(2), 0);
  EXPECT_NEAR(static_cast<double>(histogram.AtRank(3)) / 0x1p63, 1, Histogram::kLargestRelativeError);
}

TEST(Histogram, MergesAsIfOneHadRecordedAll) {
  Histogram all;
  Histogram parts[2];
  for (int i = 1; i <= 1000; ++i) {
    all.Record(i * 977);
    parts[i % 2].Record(i * 977);
  }
  parts[0].Merge(parts[1]);
  for (uint64_t rank = 1; rank <= 1000; ++rank) EXPECT_EQ(parts[0].AtRank(rank), all.AtRank(rank));
  EXPECT_DOUBLE_EQ(parts[0].mean_ns(), 977 * 500.5);
}

TEST(Histogram, CountsWhatIsNotInItAsEndless) {
  Histogram histogram;
  for (int i = 0; i < 98; ++i) histogram.Record(1000);
  EXPECT_EQ(histogram.Quantile(0.98, 100), 1000);
  EXPECT_EQ(histogram.Quantile(0.99, 100), INT64_MAX);
}

}  // namespace
}  // namespace penstock
