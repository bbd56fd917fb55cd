// Many threads against one pipeline: what must hold for every schedule.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "base/clock.h"
#include "memory/block.h"
#include "pipeline/fake_sink.h"
#include "pipeline/pipeline.h"
#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

constexpr int kSubmitters = 4;
constexpr uint64_t kJobsEach = 400;

TEST(PipelineStress, EveryAcceptedJobGetsExactlyOneOutcomeThroughCancelsExpiryAndClose) {
  const uint64_t live_before = memory::BlockPool::Process().live_bytes();
  for (uint64_t round = 0; round < 6; ++round) {
    const auto session = session::FakeSession::WithOneInput();
    const auto sink = std::make_shared<FakeSink>();
    Pipeline pipeline(session, {2, {32, 0}});
    std::vector<std::vector<uint64_t>> accepted(kSubmitters);
    std::atomic<uint64_t> submitted{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kSubmitters; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(round * 100 + static_cast<uint64_t>(t));
        for (uint64_t i = 0; i < kJobsEach; ++i) {
          auto job = std::make_shared<Job>();
          job->token = static_cast<uint64_t>(t) * kJobsEach + i;
          job->sink = sink;
          auto floats = std::make_shared<std::vector<float>>(4, 1.0f);
          memory::Slice slice{reinterpret_cast<const uint8_t*>(floats->data()), 16, memory::MemoryKind::kPageable, floats};
          job->inputs.push_back({DataType::kFp32, {1, 4}, memory::SliceChain(std::move(slice)), false});
          job->outputs = {0};
          if (random() % 8 == 0) job->deadline_ns = MonotonicNs() + 20'000;
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
      for (const uint64_t token : tokens) ASSERT_EQ(sink->count(token), 1u) << token;
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
