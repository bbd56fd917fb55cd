#include "frontend/infer_calls.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>
#include <vector>

#include "frontend/test_engine.h"

namespace penstock::frontend {
namespace {

using serving::EchoRequest;

// Loop thread only, but for `told`.
class KeepingWaiter : public InferWaiter {
 public:
  void OnOutcome(uint64_t token, InferOutcome outcome) override {
    const StatusCode code = outcome.outcome.status.code();
    codes[token] = code;
    thread = std::this_thread::get_id();
    last = std::move(outcome);
    if (then) then(token);
    told.Add();
  }

  Happenings told;
  std::map<uint64_t, StatusCode> codes;
  std::thread::id thread;
  InferOutcome last;
  std::function<void(uint64_t token)> then;
};

class InferCallsTest : public ::testing::Test {
 protected:
  ~InferCallsTest() override {
    OnLoop([&] { calls_->Close(); });
    loop_->Stop();
  }

  void OnLoop(const std::function<void()>& task) { frontend::OnLoop(loop_.get(), task); }
  uint64_t Submit(serving::InferRequest request = EchoRequest()) {
    const Result<uint64_t> token = calls_->Submit(std::move(request), 0, &waiter_);
    EXPECT_TRUE(token.ok()) << token.status().message();
    return token.ok() ? token.value() : 0;
  }
  size_t Pending() {
    size_t pending = 0;
    OnLoop([&] { pending = calls_->pending(); });
    return pending;
  }
  // On the loop it blocks that, so that what was submitted is told of in one go.
  void AwaitEngine() {
    while (engine_.engine.admission().requests() > 0) std::this_thread::yield();
  }

  TestEngine engine_;
  KeepingWaiter waiter_;
  std::unique_ptr<transport::EventLoop> loop_ = transport::EventLoop::Start("test-loop").value();
  std::shared_ptr<InferCalls> calls_ = InferCalls::Create(loop_.get(), &engine_.engine);
};

TEST_F(InferCallsTest, BringsTheOutcomeAndThePlanOfItsRequestToTheLoop) {
  std::thread::id loop_thread;
  OnLoop([&] {
    loop_thread = std::this_thread::get_id();
    serving::InferRequest request = EchoRequest(2);
    request.id = "seven";
    Submit(std::move(request));
    EXPECT_EQ(calls_->pending(), 1u);
    AwaitEngine();
    EXPECT_TRUE(waiter_.codes.empty());  // never from inside
  });
  ASSERT_TRUE(waiter_.told.WaitFor(1));
  OnLoop([&] {
    EXPECT_EQ(waiter_.thread, loop_thread);
    ASSERT_TRUE(waiter_.last.outcome.status.ok());
    EXPECT_EQ(waiter_.last.plan.id, "seven");
    EXPECT_EQ(waiter_.last.plan.model_version, "1");
    EXPECT_EQ(waiter_.last.outcome.outputs[0].bytes.size, 32u);
    EXPECT_EQ(calls_->pending(), 0u);
  });
}

TEST_F(InferCallsTest, SaysWhyTheEngineRefusesAndRemembersNothing) {
  OnLoop([&] {
    serving::InferRequest unknown = EchoRequest();
    unknown.model_name = "nope";
    const Result<uint64_t> token = calls_->Submit(std::move(unknown), 0, &waiter_);
    EXPECT_EQ(token.status().code(), StatusCode::kModelUnknown);
    EXPECT_EQ(calls_->pending(), 0u);
  });
}

TEST_F(InferCallsTest, TellsOfACancelledCallThatItWas) {
  engine_.session->ShutGate();
  uint64_t token = 0;
  OnLoop([&] { token = Submit(); });
  engine_.session->WaitForStarted(1);
  OnLoop([&] { calls_->Cancel(token); });
  ASSERT_TRUE(waiter_.told.WaitFor(1));
  OnLoop([&] { EXPECT_EQ(waiter_.codes.at(token), StatusCode::kRequestCancelled); });
}

TEST_F(InferCallsTest, CountsAnAbandonedCallUntilTheEngineIsDoneWithIt) {
  std::promise<void> release;
  engine_.session->JudgeRuns([released = release.get_future().share()](const auto&) {
    released.wait();
    return Status::Ok();
  });
  Happenings ended;
  OnLoop([&] { Submit(); });
  engine_.session->WaitForStarted(1);
  OnLoop([&] { calls_->Abandon(1, [&] { ended.Add(); }); });
  EXPECT_EQ(Pending(), 1u);
  EXPECT_EQ(ended.count(), 0u);
  release.set_value();
  ASSERT_TRUE(ended.WaitFor(1));
  EXPECT_EQ(Pending(), 0u);
  EXPECT_EQ(waiter_.told.count(), 0u);
}

TEST_F(InferCallsTest, DoesNotCallBackFromInsideAnAbandonThatEndsTheCallAtOnce) {
  engine_.session->ShutGate();
  Happenings ended;
  OnLoop([&] { Submit(); });
  engine_.session->WaitForStarted(1);  // the only lane is busy: the next one is queued
  OnLoop([&] {
    const uint64_t queued = Submit();
    calls_->Abandon(queued, [&] { ended.Add(); });
    EXPECT_EQ(ended.count(), 0u);
    EXPECT_EQ(calls_->pending(), 2u);
  });
  ASSERT_TRUE(ended.WaitFor(1));
  EXPECT_EQ(Pending(), 1u);
  engine_.session->OpenGate();
  ASSERT_TRUE(waiter_.told.WaitFor(1));
}

TEST_F(InferCallsTest, NeverTellsOfACallThatWasAbandonedWhenItsOutcomeHadComeAlready) {
  Happenings ended;
  OnLoop([&] {
    const uint64_t token = Submit();
    AwaitEngine();
    calls_->Abandon(token, [&] { ended.Add(); });
  });
  ASSERT_TRUE(ended.WaitFor(1));
  EXPECT_EQ(waiter_.told.count(), 0u);
}

TEST_F(InferCallsTest, LetsAWaiterSubmitAndAbandonOthersWhileItIsTold) {
  Happenings ended;
  uint64_t first = 0;
  uint64_t second = 0;
  uint64_t third = 0;
  waiter_.then = [&](uint64_t) {
    if (third != 0) return;
    const uint64_t other = waiter_.codes.count(first) != 0 ? second : first;
    calls_->Abandon(other, [&] { ended.Add(); });
    for (int i = 0; i < 100; ++i) third = Submit();  // enough to move whatever holds them
  };
  OnLoop([&] {
    first = Submit();
    second = Submit();
    AwaitEngine();
  });
  ASSERT_TRUE(ended.WaitFor(1));
  ASSERT_TRUE(waiter_.told.WaitFor(101));
  OnLoop([&] {
    EXPECT_EQ(waiter_.codes.size(), 101u);
    EXPECT_EQ(waiter_.codes.count(third), 1u);
    EXPECT_EQ(waiter_.codes.count(first) + waiter_.codes.count(second), 1u);
    EXPECT_EQ(calls_->pending(), 0u);
  });
}

TEST_F(InferCallsTest, IgnoresTokensOfCallsThatAreOver) {
  OnLoop([&] { Submit(); });
  ASSERT_TRUE(waiter_.told.WaitFor(1));
  Happenings ended;
  OnLoop([&] {
    calls_->Cancel(1);
    calls_->Abandon(1, [&] { ended.Add(); });
    calls_->Abandon(99, {});
  });
  EXPECT_EQ(Pending(), 0u);
  EXPECT_EQ(ended.count(), 0u);
}

TEST_F(InferCallsTest, RefusesAfterItsEndAndCancelsWhatIsLeft) {
  engine_.session->ShutGate();
  OnLoop([&] {
    Submit();
    Submit();
    calls_->Close();
    EXPECT_EQ(calls_->pending(), 0u);
    EXPECT_EQ(calls_->Submit(EchoRequest(), 0, &waiter_).status().code(), StatusCode::kServerExiting);
  });
  AwaitEngine();  // without the gate being opened
  OnLoop([] {});
  EXPECT_EQ(waiter_.told.count(), 0u);
}

TEST_F(InferCallsTest, DropsOutcomesThatComeWhenTheLoopIsGone) {
  std::promise<void> release;
  engine_.session->JudgeRuns([released = release.get_future().share()](const auto&) {
    released.wait();
    return Status::Ok();
  });
  auto loop = transport::EventLoop::Start("test-loop").value();
  std::shared_ptr<InferCalls> calls = InferCalls::Create(loop.get(), &engine_.engine);
  frontend::OnLoop(loop.get(), [&] { EXPECT_TRUE(calls->Submit(EchoRequest(), 0, &waiter_).ok()); });
  engine_.session->WaitForStarted(1);
  frontend::OnLoop(loop.get(), [&] { calls->Close(); });
  loop.reset();
  const std::weak_ptr<InferCalls> watched = std::exchange(calls, nullptr);
  EXPECT_FALSE(watched.expired());  // its job holds it
  release.set_value();
  AwaitEngine();
  EXPECT_EQ(waiter_.told.count(), 0u);
}

TEST_F(InferCallsTest, AddsWhatAnAnswerHandsOutToTheCountersOfItsModel) {
  OnLoop([&] { Submit(); });
  ASSERT_TRUE(waiter_.told.WaitFor(1));
  OnLoop([&] { CountAnswer(waiter_.last, 16, 32); });
  const pipeline::CounterSnapshot counted = engine_.Counted();
  EXPECT_EQ(counted.output_bytes_handed_out, 16u);
  EXPECT_EQ(counted.output_bytes_copied, 32u);
  CountAnswer(InferOutcome{}, 16, 32);  // its version is gone: nobody counts
}

}  // namespace
}  // namespace penstock::frontend
