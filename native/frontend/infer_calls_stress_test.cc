// Several loops with one engine while calls are cancelled and abandoned and loops end: what must hold for every schedule.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <vector>

#include "frontend/infer_calls.h"
#include "frontend/test_engine.h"
#include "memory/block.h"

namespace penstock::frontend {
namespace {

constexpr size_t kLoops = 3;
constexpr size_t kCallsEach = 600;

// A front end of one loop that keeps some calls going and gives up on others. Loop thread only, but for `told` and `over`.
class Caller : public InferWaiter {
 public:
  Caller(serving::Engine* engine, uint64_t seed)
      : loop_(transport::EventLoop::Start("test-loop").value()), calls_(InferCalls::Create(loop_.get(), engine)), random_(seed) {}

  void Start() {
    loop_->Post([this] {
      for (int i = 0; i < 16; ++i) Next();
    });
  }
  // Ends with whatever is still under way.
  void Stop() {
    OnLoop(loop_.get(), [this] {
      calls_->Close();
      stopped_ = true;
    });
    loop_.reset();
  }

  void OnOutcome(uint64_t token, InferOutcome) override {
    EXPECT_EQ(waited_.erase(token), 1u) << "told twice, or after it was abandoned";
    told.Add();
    Next();
  }

  Happenings told;
  Happenings over;  // when all calls were made and have ended

 private:
  void Next() {
    if (stopped_) return ADD_FAILURE() << "told after the end";
    while (made_ < kCallsEach) {
      ++made_;
      const Result<uint64_t> token = calls_->Submit(serving::EchoRequest(1 + static_cast<int64_t>(random_() % 8)), 0, this);
      if (!token.ok()) continue;
      waited_.insert(token.value());
      const uint64_t fate = random_() % 8;
      if (fate == 0) calls_->Cancel(token.value());
      if (fate != 1) return;
      const uint64_t chosen = *waited_.begin();
      waited_.erase(chosen);
      ++abandoned_;
      calls_->Abandon(chosen, [this] {
        --abandoned_;
        Next();
      });
      return;
    }
    if (waited_.empty() && abandoned_ == 0) {
      EXPECT_EQ(calls_->pending(), 0u);
      over.Add();
    }
  }

  std::unique_ptr<transport::EventLoop> loop_;
  const std::shared_ptr<InferCalls> calls_;
  std::mt19937_64 random_;
  std::set<uint64_t> waited_;
  size_t made_ = 0;
  size_t abandoned_ = 0;
  bool stopped_ = false;
};

serving::VersionSpec BusySpec() {
  serving::VersionSpec spec = serving::EchoSpec();
  spec.pipeline.batching.lanes = 2;
  spec.pipeline.batching.merge = true;
  return spec;
}

TEST(InferCallsStress, EveryCallIsToldOfOnceOrWasAbandoned) {
  const uint64_t live_before = memory::BlockPool::Process().live_bytes();
  {
    TestEngine engine(BusySpec());
    std::vector<std::unique_ptr<Caller>> callers;
    for (size_t i = 0; i < kLoops; ++i) callers.push_back(std::make_unique<Caller>(&engine.engine, i));
    for (const auto& caller : callers) caller->Start();
    for (const auto& caller : callers) EXPECT_TRUE(caller->over.WaitFor(1));
    for (const auto& caller : callers) caller->Stop();
    for (const auto& caller : callers) EXPECT_GT(caller->told.count(), kCallsEach / 2);
  }
  EXPECT_EQ(memory::BlockPool::Process().live_bytes(), live_before);
}

TEST(InferCallsStress, LoopsEndWhileTheEngineWorksForThem) {
  const uint64_t live_before = memory::BlockPool::Process().live_bytes();
  for (uint64_t round = 0; round < 10; ++round) {
    TestEngine engine(BusySpec());
    std::vector<std::unique_ptr<Caller>> callers;
    for (size_t i = 0; i < kLoops; ++i) callers.push_back(std::make_unique<Caller>(&engine.engine, round * 100 + i));
    for (const auto& caller : callers) caller->Start();
    engine.session->WaitForStarted(1 + round * 3);
    for (const auto& caller : callers) caller->Stop();
    callers.clear();
    while (engine.engine.admission().requests() > 0) std::this_thread::yield();
  }
  EXPECT_EQ(memory::BlockPool::Process().live_bytes(), live_before);
}

}  // namespace
}  // namespace penstock::frontend
