// Many front ends against one engine while versions come and go: what must hold for every schedule.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "memory/block.h"
#include "pipeline/fake_sink.h"
#include "serving/engine.h"
#include "serving/test_model.h"

namespace penstock::serving {
namespace {

constexpr size_t kFrontEnds = 4;
constexpr uint64_t kRequestsEach = 600;

std::shared_ptr<const Catalog> NextCatalog(Engine* engine, int64_t number) {
  auto catalog = std::make_shared<Catalog>();
  if (number % 7 == 6) return catalog;  // a moment without the model
  VersionSpec spec = EchoSpec(number);
  spec.pipeline.batching.lanes = 2;
  spec.pipeline.batching.merge = true;
  spec.pipeline.batching.queue.max_items = 16;
  CatalogModel& model = catalog->models["echo"];
  model.versions[number].version = engine->reaper().Adopt(MakeVersion(spec));
  model.default_version = number;
  return catalog;
}

bool IsExpected(StatusCode code) {
  switch (code) {
    case StatusCode::kModelUnknown:
    case StatusCode::kInFlightFull:
    case StatusCode::kQueueFull:
    case StatusCode::kDeadlineUnreachable:
    case StatusCode::kServerExiting:
      return true;
    default:
      return false;
  }
}

TEST(EngineStress, EveryAcceptedRequestGetsExactlyOneOutcomeWhileVersionsSwapAndTheServerStops) {
  const uint64_t live_before = memory::BlockPool::Process().live_bytes();
  for (uint64_t round = 0; round < 4; ++round) {
    const auto sink = std::make_shared<pipeline::FakeSink>();
    Engine engine(AdmissionLimits{24, 0});
    engine.catalog().Publish(NextCatalog(&engine, 1));
    std::vector<std::vector<uint64_t>> accepted(kFrontEnds);
    std::atomic<uint64_t> done{0};
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kFrontEnds; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(round * 100 + t);
        for (uint64_t i = 0; i < kRequestsEach; ++i, ++done) {
          const uint64_t token = t * kRequestsEach + i;
          InferRequest request = EchoRequest(1 + static_cast<int64_t>(random() % 8));
          if (random() % 8 == 0) request.timeout_us = 20;
          const Result<Accepted> result = engine.Submit(std::move(request), token, sink, 0);
          if (!result.ok()) {
            EXPECT_TRUE(IsExpected(result.status().code())) << result.status().message();
            std::this_thread::yield();
            continue;
          }
          accepted[t].push_back(token);
          if (random() % 4 == 0) engine.Cancel(result.value().job);
        }
      });
    }
    const uint64_t stop_at = round % 2 == 0 ? kFrontEnds * kRequestsEach : kFrontEnds * kRequestsEach / 2;
    for (int64_t number = 2; done < stop_at; ++number) engine.catalog().Publish(NextCatalog(&engine, number));
    engine.Stop();
    for (std::thread& thread : threads) thread.join();
    engine.Stop();

    size_t total = 0;
    for (const auto& tokens : accepted) {
      total += tokens.size();
      for (const uint64_t token : tokens) ASSERT_EQ(sink->count(token), 1u) << token;
    }
    EXPECT_EQ(sink->count(), total);
    EXPECT_GT(total, 0u);
    EXPECT_EQ(engine.admission().requests(), 0u);
    EXPECT_EQ(engine.admission().bytes(), 0u);
    sink->Clear();
    EXPECT_EQ(memory::BlockPool::Process().live_bytes(), live_before);
  }
}

}  // namespace
}  // namespace penstock::serving
