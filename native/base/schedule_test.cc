#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/schedule.h"

namespace penstock {
namespace {

std::vector<int64_t> Moments(const ScheduleOptions& options, uint64_t share = 0, uint64_t shares = 1) {
  Schedule schedule(options, share, shares);
  std::vector<int64_t> moments;
  for (int64_t at_ns = schedule.Next(); at_ns != kNever; at_ns = schedule.Next()) moments.push_back(at_ns);
  return moments;
}

ScheduleOptions Options(Arrivals arrivals, double rate, double seconds, double shape = 1) {
  ScheduleOptions options;
  options.arrivals = arrivals;
  options.rate = rate;
  options.shape = shape;
  options.length_ns = static_cast<int64_t>(seconds * 1e9);
  return options;
}

// Mean and squared coefficient of variation of the gaps, within five standard errors of what they should be. `excess`: of their kurtosis.
void ExpectGaps(const ScheduleOptions& options, double squared_cv, double excess) {
  const std::vector<int64_t> moments = Moments(options);
  const auto n = static_cast<double>(moments.size() - 1);
  const double mean = static_cast<double>(moments.back() - moments.front()) / n;
  double variance = 0;
  for (size_t i = 1; i < moments.size(); ++i) variance += std::pow(static_cast<double>(moments[i] - moments[i - 1]) - mean, 2) / n;
  const double wanted = 1e9 / options.rate;
  EXPECT_NEAR(mean / wanted, 1, 5 * std::sqrt(squared_cv / n));
  EXPECT_NEAR(variance / (wanted * wanted) / squared_cv, 1, 5 * std::sqrt((excess + 2) / n) + 10 * std::sqrt(squared_cv / n));
  EXPECT_TRUE(std::is_sorted(moments.begin(), moments.end()));
}

TEST(Schedule, SpacesConstantArrivalsEvenlyWithoutDrift) {
  const std::vector<int64_t> moments = Moments(Options(Arrivals::kConstant, 3, 1000));
  ASSERT_EQ(moments.size(), 3000u);
  EXPECT_EQ(moments[0], 0);
  EXPECT_EQ(moments[1], 333'333'333);
  EXPECT_EQ(moments[2997], 999 * kNsPerSecond);
}

TEST(Schedule, GivesPoissonGapsTheirMeanAndVariance) { ExpectGaps(Options(Arrivals::kPoisson, 1000, 200), 1, 6); }

TEST(Schedule, GivesGammaGapsTheirMeanAndVariance) {
  for (const double shape : {0.0625, 0.25, 4.0}) ExpectGaps(Options(Arrivals::kGamma, 1000, 200, shape), 1 / shape, 6 / shape);
}

TEST(Schedule, IsTheSameForTheSameSeedOnly) {
  ScheduleOptions options = Options(Arrivals::kPoisson, 1000, 1);
  const std::vector<int64_t> first = Moments(options);
  EXPECT_EQ(Moments(options), first);
  options.seed = 2;
  EXPECT_NE(Moments(options), first);
}

TEST(Schedule, IsSplitOverThreadsWithoutChange) {
  const ScheduleOptions options = Options(Arrivals::kGamma, 1000, 1, 0.25);
  std::vector<int64_t> joined;
  for (uint64_t share = 0; share < 3; ++share) {
    const std::vector<int64_t> part = Moments(options, share, 3);
    joined.insert(joined.end(), part.begin(), part.end());
  }
  std::sort(joined.begin(), joined.end());
  EXPECT_EQ(joined, Moments(options));
}

TEST(Schedule, ReplaysATraceToTheNanosecond) {
  const Result<std::vector<int64_t>> trace = ParseTrace("# recorded\n0\n0.000000001\n0.25\r\n\n0.25\n99999.123456789\n");
  ASSERT_TRUE(trace.ok()) << trace.status().message();
  ScheduleOptions options = Options(Arrivals::kTrace, 1, 100'000);
  options.trace_ns = trace.value();
  EXPECT_EQ(Moments(options), (std::vector<int64_t>{0, 1, 250'000'000, 250'000'000, 99'999'123'456'789}));
  options.length_ns = 250'000'000;
  EXPECT_EQ(Moments(options), (std::vector<int64_t>{0, 1}));
}

TEST(Schedule, NamesTheLineOfATraceThatIsWrong) {
  for (const char* text : {"1\nx\n", "1\n0.5\n", "1\n-2\n", "1\n2 3\n", "1\n1e7\n", "1\nnan\n", "1\ninf"}) {
    const Result<std::vector<int64_t>> trace = ParseTrace(text);
    ASSERT_FALSE(trace.ok()) << text;
    EXPECT_NE(trace.status().message().find("line 2"), std::string::npos) << trace.status().message();
  }
  EXPECT_FALSE(ParseTrace("# nothing\n").ok());
}

}  // namespace
}  // namespace penstock
