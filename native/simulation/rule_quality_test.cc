// How good the rule is on a part of the grid of reference/batching.md 1, on shorter traces; bench/native/batching_policy.cc has all of it.
#include <gtest/gtest.h>

#include <vector>

#include "simulation/policy_run.h"

namespace penstock::simulation {
namespace {

constexpr double kSpan = 150;  // of a trace, in times of a full run

struct Judged {
  Cell cell;
  double best;  // rows on time that are possible
  Served rule;
  Served noisy;  // run times within 5 %
  Served eager;

  double share() const { return static_cast<double>(rule.on_time_rows) / best; }
  double noisy_share() const { return static_cast<double>(noisy.on_time_rows) / best; }
};

::testing::Message Where(const Cell& cell) {
  return ::testing::Message() << cell.curve.name << ' ' << cell.pattern.name << ", load " << cell.load << ", " << cell.allowed
                              << " full runs allowed, lanes " << cell.lanes;
}

std::vector<Judged> JudgeGrid(int lanes) {
  std::vector<Judged> grid;
  for (const RunCurve& curve : {kGpu, kCpu}) {
    for (const ArrivalPattern& pattern : kOneRowPatterns) {
      for (double load : {0.6, 0.95, 2.0}) {
        for (double allowed : {3.0, 5.0}) {
          const auto rows = static_cast<int64_t>(kSpan * load * static_cast<double>(lanes * kMostRows));
          const Cell cell{curve, pattern, load, allowed, lanes, 7, rows};
          const std::vector<Arrival> arrivals = ArrivalsOf(cell);
          Disturbance noise;
          noise.noise = 0.05;
          grid.push_back({cell, static_cast<double>(BestOnTime(cell, arrivals)), Serve(cell, arrivals, Policy::kRule),
                          Serve(cell, arrivals, Policy::kRule, noise), Serve(cell, arrivals, Policy::kEager)});
        }
      }
    }
  }
  return grid;
}

// Of one lane or two; the costly part, so once for all tests.
const std::vector<Judged>& Grid(int lanes) {
  static const std::vector<Judged> one = JudgeGrid(1);
  static const std::vector<Judged> two = JudgeGrid(2);
  return lanes == 1 ? one : two;
}

TEST(RuleQuality, AnswersNearlyAsManyRowsOnTimeAsIsPossible) {
  for (int lanes : {1, 2}) {
    // With two lanes what is possible is not known, only a bound that up to 5 % may lie above it.
    const double floor = lanes == 1 ? 0.93 : 0.92;
    size_t reached = 0;
    for (const Judged& judged : Grid(lanes)) {
      EXPECT_GE(judged.share(), floor) << Where(judged.cell);
      EXPECT_GE(judged.noisy_share(), floor - 0.01) << Where(judged.cell) << ", noisy run times";
      EXPECT_LE(judged.share(), 1) << Where(judged.cell);
      if (judged.share() >= 0.95) ++reached;
    }
    const size_t cells = Grid(lanes).size();
    const size_t percent = lanes == 1 ? 99 : 98;
    EXPECT_GE(reached * 100, cells * percent) << reached << " of " << cells << " cells reach 0.95, lanes " << lanes;
  }
}

TEST(RuleQuality, LosesNoRowsToAnEagerServer) {
  for (int lanes : {1, 2}) {
    for (const Judged& judged : Grid(lanes)) {
      const auto eager_rows = static_cast<double>(judged.eager.on_time_rows);
      EXPECT_GE(static_cast<double>(judged.rule.on_time_rows), 0.998 * eager_rows) << Where(judged.cell);
    }
  }
}

TEST(RuleQuality, AnswersTheSlowestHundredthNoLaterThanAnEagerServer) {
  for (int lanes : {1, 2}) {
    size_t later = 0;
    for (const Judged& judged : Grid(lanes)) {
      if (static_cast<double>(judged.rule.p99_ns) > 1.01 * static_cast<double>(judged.eager.p99_ns)) ++later;
    }
    EXPECT_LE(later * 100, Grid(lanes).size()) << later << " of " << Grid(lanes).size() << " cells, lanes " << lanes;
  }
}

// Lanes were kept apart as if runs had a large fixed share, once steps or noise had bent the estimates of two sizes.
TEST(RuleQuality, DoesNotWaitBetweenLanesWhereRowsCostMost) {
  const Cell cell{kCpuSteps, kOneRowPatterns[0], 0.6, 5, 2, 1000, 10'000};
  const std::vector<Arrival> arrivals = ArrivalsOf(cell);
  const Served rule = Serve(cell, arrivals, Policy::kRule);
  const Served eager = Serve(cell, arrivals, Policy::kEager);
  EXPECT_LE(static_cast<double>(rule.p99_ns), 1.01 * static_cast<double>(eager.p99_ns));
}

}  // namespace
}  // namespace penstock::simulation
