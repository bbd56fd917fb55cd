// Many threads against one pipeline: what must hold for every schedule.
#include <gtest/gtest.h>

#include <atomic>
#include <iterator>
#include <random>
#include <thread>

#include "base/clock.h"
#include "memory/block.h"
#include "pipeline/fake_sink.h"
#include "pipeline/job_maker.h"
#include "pipeline/pipeline.h"
#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

constexpr int kSubmitters = 4;
constexpr uint64_t kJobsEach = 400;
constexpr float kPoison = -1;

// What nobody else sends: 1 to 3 rows of two columns, or of three in another group.
std::vector<float> Contents(uint64_t token, bool wide, bool poisoned) {
  std::vector<float> values((wide ? 3 : 2) * (1 + token % 3), static_cast<float>(token));
  if (poisoned) values.back() = kPoison;
  return values;
}

// One way to batch a round. Odd rounds are closed in the middle.
struct Way {
  const char* name;
  void (*configure)(batching::BatchingOptions*);
  bool wide = false;  // every second job is of another group
};

void AsItComes(batching::BatchingOptions*) {}
void InOrder(batching::BatchingOptions* options) { options->preserve_ordering = true; }
void Delayed(batching::BatchingOptions* options) { options->max_delay_ns = 200'000; }
void OfPreferredSizes(batching::BatchingOptions* options) {
  options->preferred_rows = {4, 6};
  options->max_delay_ns = 1'000'000;
}
// The first level rejects what waits long, the second lets it step back and is short.
void ByPriority(batching::BatchingOptions* options) {
  options->queue.priority_levels = 2;
  options->queue.default_priority_level = 2;
  options->queue.default_policy.default_timeout_us = 100;
  options->queue.default_policy.allow_timeout_override = true;
  options->queue.level_policies[2] = {batching::TimeoutAction::kDelay, 20, true, 16};
}
void AllAtOnce(batching::BatchingOptions* options) {
  OfPreferredSizes(options);
  ByPriority(options);
}

constexpr Way kWays[] = {{"as it comes", AsItComes},
                         {"in order", InOrder},
                         {"delayed", Delayed},
                         {"of preferred sizes", OfPreferredSizes},
                         {"by priority", ByPriority},
                         {"of two groups", AsItComes, true},
                         {"in order of two groups", InOrder, true},
                         {"all at once", AllAtOnce, true}};

TEST(PipelineStress, EveryAcceptedJobGetsExactlyOneOutcomeThroughCancelsExpiryAndClose) {
  const uint64_t live_before = memory::BlockPool::Process().live_bytes();
  for (uint64_t round = 0; round < 2 * std::size(kWays); ++round) {
    const Way& way = kWays[round / 2];
    SCOPED_TRACE(way.name);
    const auto session = session::FakeSession::WithOneInput();
    const auto sink = std::make_shared<FakeSink>();
    PipelineOptions options;
    options.batching.queue.max_items = 32;
    options.batching.lanes = 2;
    options.batching.merge = true;
    options.batching.max_batch_rows = 8;
    way.configure(&options.batching);
    options.spin = {round % 4 < 2 ? 50'000 : 0, 2};
    // Rows that nobody may share the fate of: their batches run in halves.
    session->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
      for (const float value : FloatsOf(inputs[0])) {
        if (value == kPoison) return Status(StatusCode::kModelRun, "poisoned");
      }
      return Status::Ok();
    });
    Pipeline pipeline(session, options);
    std::vector<std::vector<uint64_t>> accepted(kSubmitters);
    std::atomic<uint64_t> submitted{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kSubmitters; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(round * 100 + static_cast<uint64_t>(t));
        for (uint64_t i = 0; i < kJobsEach; ++i) {
          const uint64_t token = static_cast<uint64_t>(t) * kJobsEach + i;
          const bool poisoned = random() % 16 == 0;
          const bool wide = way.wide && token % 2 == 1;
          auto job = FloatJob(1 + static_cast<int64_t>(token % 3), {Contents(token, wide, poisoned)});
          if (wide) job->group = "wide";
          job->priority = random() % 3;
          job->token = token;
          job->sink = sink;
          if (random() % 8 == 0) job->deadline_ns = MonotonicNs() + 20'000;
          if (random() % 8 == 0) job->timeout_us = 30;
          const std::shared_ptr<Job> kept = job;
          if (pipeline.Submit(&job).ok()) accepted[static_cast<size_t>(t)].push_back(kept->token);
          if (random() % 4 == 0) pipeline.Cancel(kept);
          ++submitted;
        }
      });
    }
    // Odd rounds are closed in the middle, by two closers at once; even ones after the last submit.
    while (submitted < (round % 2 == 1 ? kSubmitters * kJobsEach / 2 : kSubmitters * kJobsEach)) std::this_thread::yield();
    std::thread other_closer([&pipeline] { pipeline.Close(); });
    pipeline.Close();
    other_closer.join();
    for (std::thread& thread : threads) thread.join();

    size_t total = 0;
    for (const auto& tokens : accepted) {
      total += tokens.size();
      for (const uint64_t token : tokens) {
        ASSERT_EQ(sink->count(token), 1u) << token;
        const Outcome outcome = sink->Take(token);
        if (outcome.status.ok()) {
          ASSERT_EQ(FloatsOf(outcome.outputs.at(0)), Contents(token, way.wide && token % 2 == 1, false)) << "an answer is its own";
        }
      }
    }
    EXPECT_EQ(sink->count(), total) << "nothing came back for refused jobs";
    const CounterSnapshot counts = pipeline.counters().Snapshot();
    EXPECT_EQ(counts.success.count + counts.fail.count, kSubmitters * kJobsEach);
    sink->Clear();
    EXPECT_EQ(memory::BlockPool::Process().live_bytes(), live_before);
  }
}

}  // namespace
}  // namespace penstock::pipeline
