// What a server that refuses by what it has learned must survive: having learned it wrong.
#include <gtest/gtest.h>

#include <vector>

#include "batching/batcher.h"
#include "simulation/policy_run.h"
#include "simulation/simulator.h"

namespace penstock::simulation {
namespace {

constexpr double kSpan = 300;  // of a trace, in times of a full run: several times the longest disturbance

std::vector<Cell> LoadedCells(double span = kSpan) {
  std::vector<Cell> cells;
  for (const RunCurve& curve : {kGpu, kCpu}) {
    for (double load : {0.95, 2.0}) {
      for (int lanes : {1, 2}) {
        const auto rows = static_cast<int64_t>(span * load * static_cast<double>(lanes * kMostRows));
        cells.push_back({curve, kOneRowPatterns[0], load, 3, lanes, 11, rows});
      }
    }
  }
  return cells;
}

::testing::Message Where(const Cell& cell) {
  return ::testing::Message() << cell.curve.name << ", load " << cell.load << ", lanes " << cell.lanes;
}

// On-time rows of the second half of the trace, against those of a server that learned the truth and is not disturbed.
void ExpectSecondHalf(const Disturbance& disturbance, const Estimates& estimates, double floor, double span = kSpan) {
  for (const Cell& cell : LoadedCells(span)) {
    const std::vector<Arrival> arrivals = ArrivalsOf(cell);
    const auto right = static_cast<double>(Serve(cell, arrivals, Policy::kRule).second_half_rows);
    const auto wrong = static_cast<double>(Serve(cell, arrivals, Policy::kRule, disturbance, estimates).second_half_rows);
    EXPECT_GE(wrong / right, floor) << Where(cell);
  }
}

TEST(RuleRecovery, FromEstimatesOfHalfTheTruth) { ExpectSecondHalf({}, {true, 0.5}, 0.99); }

TEST(RuleRecovery, FromEstimatesOfThreeTimesTheTruth) { ExpectSecondHalf({}, {true, 3}, 0.99); }

TEST(RuleRecovery, FromEstimatesThatWouldShutItForEver) {
  // Nothing contradicts them before they are old, and each size has its own.
  ExpectSecondHalf({}, {true, 100}, 0.99, 3 * kSpan);
}

TEST(RuleRecovery, FromNoEstimatesAtAll) { ExpectSecondHalf({}, {false, 1}, 0.99); }

TEST(RuleRecovery, FromOneRunOfFiftyTimesItsTime) {
  Disturbance outlier;
  outlier.outlier_run = 20;
  ExpectSecondHalf(outlier, {}, 0.99);
}

TEST(RuleRecovery, ServesWhileAFifthOfTheRunsTakeTwiceAsLong) {
  Disturbance bimodal;
  bimodal.slow_share = 0.2;
  bimodal.slow_factor = 2;
  for (Cell cell : LoadedCells()) {
    const std::vector<Arrival> arrivals = ArrivalsOf(cell);
    RunCurve slower = cell.curve;  // as long as a run takes on average
    slower.fixed_ns += slower.fixed_ns / 5;
    slower.row_ns += slower.row_ns / 5;
    const auto best = static_cast<double>(RowsOnTimeBound(arrivals, slower, kMostRows, cell.lanes, cell.allowed_ns()));
    const auto served = static_cast<double>(Serve(cell, arrivals, Policy::kRule, bimodal).on_time_rows);
    EXPECT_GE(served / best, 0.85) << Where(cell);
  }
}

TEST(RuleRecovery, AnIdleServerRefusesNothingHoweverLongItExpectsToTake) {
  batching::BatchingOptions options;
  options.merge = true;
  options.max_batch_rows = kMostRows;
  batching::Batcher batcher(options);
  for (int i = 0; i < 3; ++i) batcher.Learn(1, 1, 100 * kGpu.Ns(1));
  std::vector<Request> requests(200);
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].at_ns = 1 + static_cast<int64_t>(i) * 2 * kGpu.Ns(1);
    requests[i].deadline_ns = requests[i].at_ns + kGpu.Ns(1);
  }
  Simulator::World world;
  world.run_ns = [](const RunStart& run) { return kGpu.Ns(run.rows); };
  const std::vector<Outcome> outcomes = Simulate(&batcher, requests, world);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(outcomes[i].ending, Ending::kAnswered);
    EXPECT_LE(outcomes[i].ended_ns, requests[i].deadline_ns);
  }
}

}  // namespace
}  // namespace penstock::simulation
