#include "simulation/fleet.h"

#include <gtest/gtest.h>

#include <string>

#include "simulation/test_fleets.h"

namespace penstock::simulation {
namespace {

int64_t Sum(const FleetTotals& totals) { return totals.answered + totals.refused + totals.lost; }

// A job with a little of everything.
FleetJob BusyJob() {
  FleetJob job = JobOf(Arrivals::kGamma, 2500, 20);
  job.arrivals.shape = 0.5;
  job.warm_up_ns = kNsPerSecond;
  job.servers = 4;
  job.events = {{12 * kNsPerSecond, 1, true}, {5 * kNsPerSecond, 1, false}, {6 * kNsPerSecond, 2, false}};
  job.max_batch_rows = 8;
  job.lanes = 2;
  job.latency_goal_ns = 20 * kMs;
  job.front_end_threads = 2;
  job.front_end_ns = kMs / 5;
  job.fixed_ns = kMs / 2;
  job.run_times = {{1, {2 * kMs, 3 * kMs, 9 * kMs}}, {8, {6 * kMs, 7 * kMs, 20 * kMs}}};
  job.lane_slowdown = {1, 1.5};
  job.goal_ns = 21 * kMs;
  return job;
}

TEST(Fleet, AccountsForEveryRequestOnce) {
  const FleetTotals totals = TotalsOf(BusyJob());
  EXPECT_NEAR(static_cast<double>(totals.requests), 19 * 2500, 1500);
  EXPECT_EQ(Sum(totals), totals.requests);
  EXPECT_EQ(totals.latency.count(), static_cast<uint64_t>(totals.answered));
  EXPECT_GT(totals.refused, 100);
  EXPECT_GT(totals.lost, 0);
  EXPECT_LT(totals.lost, 100);
  EXPECT_GT(totals.late, 0);
  EXPECT_LT(totals.late, totals.answered / 10);
  EXPECT_GT(totals.lane_busy_ns / totals.lane_up_ns, 0.5);
  EXPECT_LE(totals.lane_busy_ns / totals.lane_up_ns, 1);
}

TEST(Fleet, GivesTheSameForTheSameSeedAndOtherForAnother) {
  FleetJob job = BusyJob();
  const FleetTotals first = TotalsOf(job);
  const FleetTotals second = TotalsOf(job);
  EXPECT_EQ(first.requests, second.requests);
  EXPECT_EQ(first.refused, second.refused);
  EXPECT_EQ(first.latency.mean_ns(), second.latency.mean_ns());
  EXPECT_EQ(first.runs, second.runs);
  EXPECT_EQ(first.lane_busy_ns, second.lane_busy_ns);
  ++job.arrivals.seed;
  EXPECT_NE(first.latency.mean_ns(), TotalsOf(job).latency.mean_ns());
}

TEST(Fleet, AddsFrontEndRunAndAnswer) {
  FleetJob job = JobOfMoments({0, 100, 200});
  job.front_end_ns = kMs;
  job.fixed_ns = 2 * kMs;
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.latency.max_ns(), 8 * kMs);
  EXPECT_DOUBLE_EQ(totals.latency.mean_ns(), 8e6);
}

TEST(Fleet, LetsARunWaitForItsTurnOnTheDevice) {
  FleetJob job = JobOfMoments({0, 0, 0});
  job.lanes = 3;
  job.runs_at_once = 1;
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.latency.AtRank(1) / 100'000, 50);
  EXPECT_EQ(totals.latency.AtRank(2) / 100'000, 100);
  EXPECT_EQ(totals.latency.max_ns(), 15 * kMs);
  job.runs_at_once = 3;
  EXPECT_EQ(TotalsOf(job).latency.max_ns(), 5 * kMs);
}

TEST(Fleet, KeepsTheDeviceBusyWhileOtherLanesCopy) {
  FleetJob job = JobOfMoments({0, 0, 0});
  job.lanes = 3;
  job.runs_at_once = 1;
  job.aside_ns = kMs;  // of 5: half before, 4 on the device, half after
  EXPECT_EQ(TotalsOf(job).latency.max_ns(), 13 * kMs);
  job.aside_ns = 10 * kMs;
  EXPECT_EQ(TotalsOf(job).latency.max_ns(), 5 * kMs + 2);  // a nanosecond each is left of the device's time
}

TEST(Fleet, SlowsARunByTheLanesThatRunWhenItStarts) {
  FleetJob job = JobOfMoments({0, 0, 0});
  job.lanes = 3;
  job.lane_slowdown = {1, 1.5};
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.latency.AtRank(1) / 100'000, 50);
  EXPECT_EQ(totals.latency.max_ns(), 7'500'000);
  EXPECT_NEAR(totals.latency.mean_ns(), (5e6 + 2 * 7.5e6) / 3, 1);  // as the last of the list, beyond it
}

TEST(Fleet, WaitsForTheDelayThatIsConfigured) {
  FleetJob job = JobOfMoments({0, 3, 100});
  job.max_batch_rows = 4;
  job.max_queue_delay_ns = 10 * kMs;
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.runs, (std::map<int64_t, int64_t>{{1, 1}, {2, 1}}));
  EXPECT_EQ(totals.latency.max_ns(), 20 * kMs);  // the batch of two, by a table of one row, takes twice as long
}

TEST(Fleet, StartsSeveralLanesApartAsAServerThatKnowsItsRunTimesDoes) {
  FleetJob job = JobOfMoments({0, 1});
  job.max_batch_rows = 8;
  job.lanes = 2;
  job.run_times = {{1, {5 * kMs}}, {8, {5 * kMs}}};
  EXPECT_NEAR(static_cast<double>(TotalsOf(job).latency.max_ns()), 6.5e6, 1e4);  // half a run after the first
}

TEST(Fleet, LosesWhatAServerHasAndSendsTheRestElsewhere) {
  FleetJob job = JobOf(Arrivals::kConstant, 200, 10);  // one each 5 ms: each server is busy half of the time
  job.servers = 2;
  job.events = {{4 * kNsPerSecond + kMs, 0, false}};
  int64_t lost = 0;
  for (job.arrivals.seed = 1; job.arrivals.seed <= 40; ++job.arrivals.seed) {
    const FleetTotals totals = TotalsOf(job);
    EXPECT_EQ(totals.requests, 2000);
    EXPECT_LE(totals.lost, 1);
    EXPECT_EQ(totals.answered, 2000 - totals.lost);
    EXPECT_EQ(totals.latency.max_ns(), 5 * kMs);
    EXPECT_NEAR(totals.lane_up_ns, 14e9, 1e7);
    lost += totals.lost;
  }
  EXPECT_NEAR(static_cast<double>(lost), 20, 12);  // the one that ran was the server's, or the other's
}

TEST(Fleet, LosesAllWhileNoServerIsUpAndBeginsEmptyAfter) {
  FleetJob job = JobOf(Arrivals::kConstant, 1000, 3);  // five times what it can do: the queue grows
  job.events = {{kNsPerSecond, 0, false}, {2 * kNsPerSecond, 0, true}};
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.answered, 199 + 1000);   // after the arrivals, the last life ends what it has
  EXPECT_EQ(totals.lost, 801 + 1000);
  EXPECT_NEAR(static_cast<double>(totals.latency.max_ns()), 4e9, 1e7);
}

TEST(Fleet, LosesAnswersThatAreOnTheirWay) {
  FleetJob job = JobOfMoments({0, 10});
  job.fixed_ns = 20 * kMs;
  job.events = {{30 * kMs, 0, false}};
  EXPECT_EQ(TotalsOf(job).answered, 1);
  EXPECT_EQ(TotalsOf(job).lost, 1);
}

TEST(Fleet, LetsServersComeLater) {
  FleetJob job = JobOfMoments({0, 1, 2, 50, 60});
  job.servers = 2;
  job.events = {{0, 1, false}, {40 * kMs, 1, true}, {45 * kMs, 0, false}};
  EXPECT_EQ(TotalsOf(job).lost, 0);
  EXPECT_EQ(TotalsOf(job).latency.max_ns(), 13 * kMs);  // three behind one another
  EXPECT_DOUBLE_EQ(TotalsOf(job).latency.mean_ns(), (5 + 9 + 13 + 5 + 5) * 1e6 / 5);
}

TEST(Fleet, CountsNeitherRequestsNorRunsNorLanesOfTheWarmUp) {
  FleetJob job = JobOf(Arrivals::kConstant, 100, 3);
  job.warm_up_ns = kNsPerSecond;
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.requests, 200);
  EXPECT_EQ(totals.answered, 200);
  EXPECT_EQ(totals.runs, (std::map<int64_t, int64_t>{{1, 200}}));
  EXPECT_NEAR(totals.lane_busy_ns / totals.lane_up_ns, 0.5, 1e-6);
}

TEST(Fleet, RefusesWhatCannotBeInTimeOnlyWithAGoal) {
  FleetJob job = JobOf(Arrivals::kPoisson, 2 * 8 / kService, 20);  // twice what it can do
  job.max_batch_rows = 8;
  job.run_times = {{8, {5 * kMs}}};
  job.goal_ns = 20 * kMs;
  EXPECT_EQ(TotalsOf(job).refused, 0);
  EXPECT_GT(TotalsOf(job).late, TotalsOf(job).answered * 9 / 10);
  job.latency_goal_ns = 20 * kMs;
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.late, 0);
  EXPECT_NEAR(static_cast<double>(totals.answered) / static_cast<double>(totals.requests), 0.5, 0.02);
}

TEST(Fleet, CarriesOnFromPortionToPortion) {
  FleetJob job = JobOf(Arrivals::kConstant, 200'000, 5);  // four portions, three times what the front end can do
  job.servers = 2;
  job.run_times = {{1, {0}}};
  job.front_end_ns = 30'000;
  const FleetTotals totals = TotalsOf(job);
  EXPECT_EQ(totals.answered, 1'000'000);
  EXPECT_NEAR(static_cast<double>(totals.latency.max_ns()), 10e9, 6e7);  // chance does not halve exactly
}

TEST(Fleet, StopsBeforeAndAmongArrivalsAndAmongWhatWaits) {
  FleetJob job = JobOf(Arrivals::kConstant, 1'000'000, 10);
  int asked = 0;
  EXPECT_EQ(SimulateFleet(job, [&] { return ++asked > 0; }).status().code(), StatusCode::kRequestCancelled);
  EXPECT_EQ(asked, 1);  // before any of the work: many jobs wait behind each other
  asked = 0;
  EXPECT_EQ(SimulateFleet(job, [&] { return ++asked == 3; }).status().code(), StatusCode::kRequestCancelled);
  job.arrivals.length_ns = kNsPerSecond / 10;  // 100,000 requests: 500 seconds of work, all of it after the arrivals
  asked = 0;
  EXPECT_EQ(SimulateFleet(job, [&] { return ++asked == 20; }).status().code(), StatusCode::kRequestCancelled);
}

struct WrongJob {
  const char* field;
  void (*change)(FleetJob*);
};

TEST(Fleet, NamesTheFieldThatMakesNoSense) {
  const WrongJob wrong[] = {
      {"arrivals.lengthS", [](FleetJob* job) { job->arrivals.length_ns = 0; }},
      {"arrivals.rate", [](FleetJob* job) { job->arrivals.rate = 0; }},
      {"arrivals.rate", [](FleetJob* job) { job->arrivals.rate = 1e9; }},
      {"arrivals.shape", [](FleetJob* job) { job->arrivals.shape = 0; }},
      {"warmUpS", [](FleetJob* job) { job->warm_up_ns = -1; }},
      {"rowsPerRequest", [](FleetJob* job) { job->rows_per_request = 9; }},
      {"servers", [](FleetJob* job) { job->servers = 0; }},
      {"events[2].server", [](FleetJob* job) { job->events[2].server = 4; }},
      {"events[0].atS", [](FleetJob* job) { job->events[0].at_ns = -1; }},
      {"batching.maxBatchRows", [](FleetJob* job) { job->max_batch_rows = 0; }},
      {"batching.lanes", [](FleetJob* job) { job->lanes = 0; }},
      {"batching.maxQueueDelayUs", [](FleetJob* job) { job->max_queue_delay_ns = -1; }},
      {"batching.latencyGoalMs", [](FleetJob* job) { job->latency_goal_ns = INT64_MAX; }},
      {"frontEnd.threads", [](FleetJob* job) { job->front_end_threads = 0; }},
      {"frontEnd.perRequestMs", [](FleetJob* job) { job->front_end_ns = -1; }},
      {"frontEnd.fixedMs", [](FleetJob* job) { job->fixed_ns = -1; }},
      {"runsAtOnce", [](FleetJob* job) { job->runs_at_once = 0; }},
      {"asideMs", [](FleetJob* job) { job->aside_ns = -1; }},
      {"laneSlowdown", [](FleetJob* job) { job->lane_slowdown.clear(); }},
      {"laneSlowdown[1]", [](FleetJob* job) { job->lane_slowdown[1] = 0; }},
      {"runTimes", [](FleetJob* job) { job->run_times.clear(); }},
      {"runTimes[1].rows", [](FleetJob* job) { job->run_times[1].rows = 1; }},
      {"runTimes[1].rows", [](FleetJob* job) { job->run_times[1].rows = INT64_MAX; }},
      {"runTimes[0].quantilesMs", [](FleetJob* job) { job->run_times[0].quantiles_ns = {2, 1}; }},
      {"runTimes[0].quantilesMs", [](FleetJob* job) { job->run_times[0].quantiles_ns.clear(); }},
      {"runTimes", [](FleetJob* job) { job->run_times[1].quantiles_ns = {100'000 * kNsPerSecond}; }},
      // Only small batches take that long, and only the fast runs of batches beyond the last table do.
      {"runTimes", [](FleetJob* job) { job->run_times[0].quantiles_ns = {100'000 * kNsPerSecond}; }},
      {"runTimes",
       [](FleetJob* job) {
         job->max_batch_rows = 1'000'000;
         job->run_times = {{1, {0, 1000 * kNsPerSecond}}, {2, {1000 * kNsPerSecond}}};
       }},
      {"goalMs", [](FleetJob* job) { job->goal_ns = -1; }},
  };
  for (const WrongJob& each : wrong) {
    FleetJob job = BusyJob();
    each.change(&job);
    const Result<FleetTotals> totals = SimulateFleet(job);
    ASSERT_FALSE(totals.ok()) << each.field;
    EXPECT_EQ(totals.status().code(), StatusCode::kConfigOption);
    EXPECT_EQ(totals.status().message().rfind(std::string(each.field) + ": expected ", 0), 0u) << totals.status().message();
  }
  FleetJob falling = JobOfMoments({3, 2});
  EXPECT_EQ(SimulateFleet(falling).status().message(), "arrivals.momentsS: expected moments that never fall");
}

}  // namespace
}  // namespace penstock::simulation
