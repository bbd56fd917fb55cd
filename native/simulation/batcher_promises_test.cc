// Ten thousand random schedules, each by its seed. A seed that breaks a promise is printed, and is replayed alone, to the nanosecond, by
//   simulation_test --gtest_filter=BatcherPromises.* --gtest_random_seed=SEED
// (GoogleTest takes 0 to 99999, 0 being all of them).
#include "simulation/batcher_promises.h"

#include <gtest/gtest.h>

#include <map>

#include "simulation/random_schedule.h"

namespace penstock::simulation {
namespace {

constexpr uint64_t kSeeds = 10'000;

std::vector<Outcome> Play(const RandomSchedule& schedule, uint64_t seed, std::vector<std::string>* broken) {
  batching::Batcher batcher(schedule.options);
  if (schedule.warmed_up_with > 0) {
    for (int64_t rows = 1; rows <= schedule.options.max_batch_rows; rows *= 2) {
      batcher.Learn(1, rows, 1 + static_cast<int64_t>(schedule.warmed_up_with * static_cast<double>(schedule.curve.Ns(rows))));
    }
  }
  BatcherPromises promises(batcher);
  RunModel runs(schedule.curve, schedule.disturbance, seed);
  Simulator::World world;
  world.run_ns = [&runs](const RunStart& run) { return runs.NextRunNs(run.rows); };
  world.close_ns = schedule.close_ns;
  world.timer_last = schedule.timer_last;
  world.observer = &promises;
  std::vector<Outcome> outcomes = Simulate(&batcher, schedule.requests, world);
  promises.Ended();
  *broken = promises.broken();
  return outcomes;
}

TEST(BatcherPromises, HoldOnRandomSchedulesAndEveryRequestGetsItsEnd) {
  const auto only = static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
  std::map<Ending, int64_t> endings;
  for (uint64_t seed = only == 0 ? 1 : only; seed <= (only == 0 ? kSeeds : only); ++seed) {
    const RandomSchedule schedule = MakeSchedule(seed);
    std::vector<std::string> broken;
    const std::vector<Outcome> outcomes = Play(schedule, seed, &broken);
    for (size_t i = 0; i < outcomes.size(); ++i) {
      const bool came = schedule.requests[i].at_ns < schedule.close_ns;
      const bool ended = outcomes[i].ending != Ending::kPending;
      if (came != ended) broken.push_back("request " + std::to_string(i) + (came ? " has no end" : " was offered after the closing"));
      ++endings[outcomes[i].ending];
    }
    for (const std::string& line : broken) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (::testing::Test::HasFailure()) break;
  }
  if (only != 0) return;
  // Every kind of end is met often, or the schedules would show little.
  for (const Ending ending : {Ending::kRefused, Ending::kDropped, Ending::kCancelled, Ending::kAnswered}) {
    EXPECT_GT(endings[ending], 10'000);
  }
  EXPECT_GT(endings[Ending::kTaken], 1'000);
}

TEST(BatcherPromises, AScheduleReplaysToTheNanosecond) {
  std::vector<std::string> broken;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<Outcome> first = Play(MakeSchedule(seed), seed, &broken);
    const std::vector<Outcome> second = Play(MakeSchedule(seed), seed, &broken);
    ASSERT_EQ(first.size(), second.size());
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_EQ(first[i].ending, second[i].ending);
      EXPECT_EQ(first[i].ended_ns, second[i].ended_ns);
    }
  }
}

}  // namespace
}  // namespace penstock::simulation
