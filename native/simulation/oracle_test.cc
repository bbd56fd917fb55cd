#include "simulation/oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace penstock::simulation {
namespace {

constexpr size_t kRows = 9;

// Most rows in any partition of any subset into batches, neighbours or not, in any order: what the oracle's argument must not lose.
class EverySchedule {
 public:
  EverySchedule(const std::vector<Arrival>& arrivals, const RunCurve& curve, int64_t max_rows, int64_t allowed_ns)
      : arrivals_(arrivals),
        curve_(curve),
        max_rows_(max_rows),
        allowed_ns_(allowed_ns),
        free_ns_(size_t{1} << arrivals.size(), INT64_MAX) {}

  int64_t Most() {
    free_ns_[0] = 0;
    int64_t most = 0;
    for (size_t served = 0; served < free_ns_.size(); ++served) {
      if (free_ns_[served] == INT64_MAX) continue;
      most = std::max<int64_t>(most, __builtin_popcountll(served));
      const size_t left = free_ns_.size() - 1 - served;
      for (size_t batch = left; batch != 0; batch = (batch - 1) & left) Run(served, batch);
    }
    return most;
  }

 private:
  void Run(size_t served, size_t batch) {
    const int rows = __builtin_popcountll(batch);
    if (rows > max_rows_) return;
    const auto oldest = static_cast<size_t>(__builtin_ctzll(batch));
    const auto newest = static_cast<size_t>(63 - __builtin_clzll(batch));
    const int64_t end_ns = std::max(free_ns_[served], arrivals_[newest].at_ns) + curve_.Ns(rows);
    if (end_ns <= arrivals_[oldest].at_ns + allowed_ns_) free_ns_[served | batch] = std::min(free_ns_[served | batch], end_ns);
  }

  const std::vector<Arrival>& arrivals_;
  const RunCurve curve_;
  const int64_t max_rows_;
  const int64_t allowed_ns_;
  std::vector<int64_t> free_ns_;  // by the set of rows served
};

TEST(Oracle, FindsAsManyRowsAsTryingEverySchedule) {
  int64_t served = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    Random random(seed);
    const RunCurve curve{"random", random.Between(0, 20), random.Between(1, 10), random.Chance(0.3)};
    const int64_t max_rows = random.Between(1, 5);
    const int64_t allowed_ns = curve.Ns(max_rows) * random.Between(4, 16) / 4;
    const double gap_ns = random.Uniform() * 2 * static_cast<double>(curve.Ns(max_rows)) / static_cast<double>(max_rows);
    std::vector<Arrival> arrivals;
    int64_t now_ns = 1;
    for (size_t i = 0; i < kRows; ++i) arrivals.push_back({now_ns += static_cast<int64_t>(random.Exponential(gap_ns)), 1});

    const int64_t most = MostRowsOnTime(arrivals, curve, max_rows, allowed_ns);
    EXPECT_EQ(EverySchedule(arrivals, curve, max_rows, allowed_ns).Most(), most) << "seed " << seed;
    EXPECT_GE(RowsOnTimeBound(arrivals, curve, max_rows, 1, allowed_ns), most) << "seed " << seed;
    served += most;
  }
  // Neither all rows nor none, or the comparison would show little.
  EXPECT_GT(served, 400 * kRows / 4);
  EXPECT_LT(served, 400 * kRows * 19 / 20);
}

TEST(Oracle, CountsEveryRowWhenThereIsTimeForAll) {
  std::vector<Arrival> arrivals;
  for (int64_t i = 0; i < 100; ++i) arrivals.push_back({1 + i * 3'000'000, 1});
  EXPECT_EQ(MostRowsOnTime(arrivals, kGpu, 32, 3 * kGpu.Ns(32)), 100);
  EXPECT_EQ(RowsOnTimeBound(arrivals, kGpu, 32, 1, 3 * kGpu.Ns(32)), 100);
}

TEST(Oracle, ServesWhatFitsIntoTheTimeAllowedOfABurst) {
  const std::vector<Arrival> burst(200, Arrival{1, 1});
  // Two full runs end in time, and 1.5 times a full run's time is left for one that holds 32 all the same.
  EXPECT_EQ(MostRowsOnTime(burst, kGpu, 32, 7 * kGpu.Ns(32) / 2), 96);
  EXPECT_EQ(RowsOnTimeBound(burst, kGpu, 32, 2, 2 * kGpu.Ns(32)), 128);
}

}  // namespace
}  // namespace penstock::simulation
