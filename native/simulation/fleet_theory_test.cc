// What the simulation says of queues whose percentiles are known.
#include <gtest/gtest.h>

#include <cmath>

#include "base/test_queues.h"
#include "simulation/test_fleets.h"

namespace penstock::simulation {
namespace {

template <typename Queue>
void ExpectQuantiles(const FleetTotals& totals, const Queue& queue, double longest = 30 * kService) {
  ASSERT_GT(totals.requests, 100'000);
  for (const double share : {0.5, 0.9, 0.95, 0.99}) {
    const double expected = QuantileOf(queue, share, longest);
    EXPECT_NEAR(SecondsAt(totals, share) / expected, 1, 0.02) << "quantile " << share << " of " << totals.requests;
  }
}

TEST(FleetTheory, AServerOfConstantTimesIsErlangsQueue) {
  const FleetTotals totals = TotalsOf(JobOf(Arrivals::kPoisson, 0.6 / kService, 3000));
  ExpectQuantiles(totals, DeterministicQueue{0.6 / kService, kService});
  EXPECT_NEAR(totals.lane_busy_ns / totals.lane_up_ns, 0.6, 0.006);
}

struct ExponentialQueue {
  double rate;
  double service;
  double Below(double response) const { return 1 - std::exp(-(1 / service - rate) * response); }
};

TEST(FleetTheory, AServerOfExponentialTimesHasExponentialLatencies) {
  FleetJob job = JobOf(Arrivals::kPoisson, 0.6 / kService, 10'000);
  RunQuantiles& table = job.run_times.front();
  table.quantiles_ns.clear();
  constexpr int kSteps = 2000;
  for (int i = 0; i < kSteps; ++i) {
    table.quantiles_ns.push_back(std::llround(-std::log(1 - static_cast<double>(i) / kSteps) * kService * 1e9));
  }
  table.quantiles_ns.push_back(std::llround((std::log(kSteps) + 2) * kService * 1e9));  // so that the mean of the last step is right
  ExpectQuantiles(TotalsOf(job), ExponentialQueue{0.6 / kService, kService}, 100 * kService);
}

TEST(FleetTheory, AServerThatTakesEightAtOnceIsBaileysQueue) {
  FleetJob job = JobOf(Arrivals::kPoisson, 0.8 * 8 / kService, 250);
  job.max_batch_rows = 8;
  job.run_times = {{8, {5 * kMs}}};
  const FleetTotals totals = TotalsOf(job);
  ExpectQuantiles(totals, BulkQueue(0.8 * 8 / kService, kService, 8));
  EXPECT_EQ(totals.runs.rbegin()->first, 8);
}

TEST(FleetTheory, ServersThatAreChosenByChanceAreQueuesOfTheirShare) {
  FleetJob job = JobOf(Arrivals::kPoisson, 10 * 0.6 / kService, 400);
  job.servers = 10;
  ExpectQuantiles(TotalsOf(job), DeterministicQueue{0.6 / kService, kService});
}

TEST(FleetTheory, TheFrontEndAloneIsOneLineBeforeItsThreads) {
  FleetJob job = JobOf(Arrivals::kPoisson, 3 * 0.85 / kService, 2000);
  job.front_end_threads = 3;
  job.front_end_ns = 5 * kMs;
  job.run_times = {{1, {0}}};
  ExpectQuantiles(TotalsOf(job), ParallelQueue(3 * 0.85 / kService, kService, 3));
}

TEST(FleetTheory, LanesAreOneLineBeforeThem) {
  FleetJob job = JobOf(Arrivals::kPoisson, 2 * 0.8 / kService, 2000);
  job.lanes = 2;
  ExpectQuantiles(TotalsOf(job), ParallelQueue(2 * 0.8 / kService, kService, 2));
}

TEST(FleetTheory, LinesBeforeOneServerAgree) {
  const DeterministicQueue one{0.7 / kService, kService};
  const ParallelQueue parallel(one.rate, kService, 1);
  for (const double at : {1.0, 1.3, 2.0, 2.9, 7.5}) EXPECT_NEAR(one.Below(at * kService), parallel.Below(at * kService), 1e-9) << at;
}

}  // namespace
}  // namespace penstock::simulation
