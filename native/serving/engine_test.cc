#include "serving/engine.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <chrono>
#include <future>
#include <thread>

#include "base/clock.h"
#include "pipeline/fake_sink.h"
#include "serving/test_model.h"

namespace penstock::serving {
namespace {

class EngineTest : public ::testing::Test {
 protected:
  explicit EngineTest(uint64_t max_bytes = 1000) : engine_(AdmissionLimits{4, max_bytes}) {}

  // Publishes "echo" with one version over `session_`.
  void Publish(VersionSpec spec = EchoSpec(), std::shared_ptr<const session::Session> session = nullptr) {
    auto catalog = std::make_shared<Catalog>();
    CatalogModel& model = catalog->models["echo"];
    auto version = ModelVersion::Create(session ? std::move(session) : session_, spec, nullptr).value();
    model.versions[spec.version].version = engine_.reaper().Adopt(std::move(version));
    model.default_version = spec.version;
    engine_.catalog().Publish(std::move(catalog));
  }

  Result<Accepted> Submit(uint64_t token, InferRequest request = EchoRequest(), int64_t deadline_ns = 0) {
    return engine_.Submit(std::move(request), token, sink_, deadline_ns);
  }

  uint64_t Failures(pipeline::FailureReason reason) {
    const auto version = engine_.catalog().Current()->Find("echo", "").value()->version;
    return version->pipeline().counters().Snapshot().failures[static_cast<size_t>(reason)];
  }

  std::shared_ptr<session::FakeSession> session_ = FakeFor(EchoSpec());
  std::shared_ptr<pipeline::FakeSink> sink_ = std::make_shared<pipeline::FakeSink>();
  Engine engine_;
};

class LargeAnswers : public EngineTest {
 protected:
  LargeAnswers() : EngineTest(1 << 20) {}
};

TEST_F(EngineTest, AnswersARequestAndSaysWhichVersionDid) {
  Publish(EchoSpec(12));
  const Result<Accepted> accepted = Submit(1, EchoRequest(2));
  ASSERT_TRUE(accepted.ok()) << accepted.status().message();
  EXPECT_EQ(accepted.value().plan.model_version, "12");
  const pipeline::Outcome outcome = sink_->Take(1);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.outputs[0].dims, (std::vector<int64_t>{2, 4}));
  EXPECT_EQ(outcome.outputs[0].bytes.size, 32u);
  EXPECT_EQ(engine_.admission().requests(), 0u);
  EXPECT_EQ(engine_.admission().bytes(), 0u);
}

TEST_F(EngineTest, SaysBeforeAMessageIsDecodedWhetherItsModelIsServed) {
  Publish(EchoSpec(12));
  EXPECT_TRUE(engine_.CheckServed("echo", "").ok());
  EXPECT_TRUE(engine_.CheckServed("echo", "12").ok());
  EXPECT_EQ(engine_.CheckServed("echo", "13").code(), StatusCode::kModelUnknown);
  EXPECT_EQ(engine_.CheckServed("nope", "").code(), StatusCode::kModelUnknown);
  engine_.Stop();
  EXPECT_EQ(engine_.CheckServed("echo", "").code(), StatusCode::kServerExiting);
}

TEST_F(EngineTest, RefusalsNeverReachTheSinkAndHoldNothing) {
  Publish();
  InferRequest unknown = EchoRequest();
  unknown.model_name = "nope";
  EXPECT_EQ(Submit(1, unknown).status().code(), StatusCode::kModelUnknown);
  InferRequest wrong = EchoRequest();
  wrong.inputs[0].dtype = DataType::kInt8;
  EXPECT_EQ(Submit(2, wrong).status().code(), StatusCode::kTensorDtype);
  EXPECT_EQ(Failures(pipeline::FailureReason::kOther), 1u);
  EXPECT_EQ(sink_->count(), 0u);
  EXPECT_EQ(engine_.admission().requests(), 0u);
}

TEST_F(EngineTest, WorkBeyondTheInFlightLimitIsRefusedUntilSomethingEnds) {
  session_->ShutGate();
  Publish();
  for (uint64_t token = 1; token <= 4; ++token) ASSERT_TRUE(Submit(token).ok());
  EXPECT_EQ(Submit(5).status().code(), StatusCode::kInFlightFull);
  EXPECT_EQ(Failures(pipeline::FailureReason::kRejected), 1u);
  EXPECT_EQ(engine_.admission().bytes(), 64u);
  session_->OpenGate();
  sink_->Take(1);
  EXPECT_TRUE(Submit(6).ok()) << "an outcome means that its room is free again";
  sink_->WaitFor(5);
}

// Seen by what each run gets: rows of x, and of the optional input or -1.
TEST_F(EngineTest, RequestsWithAndWithoutAnOptionalInputNeverMeetInOneBatch) {
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.merge = true;
  spec.inputs.push_back({"scale", DataType::kFp32, {-1, 1}, true});
  const auto session = FakeFor(spec);
  std::vector<std::pair<int64_t, int64_t>> runs;  // of the one lane, until everything has ended
  session->OnRun([&runs](const std::vector<session::Tensor>& inputs) {
    runs.emplace_back(inputs.at(0).dims.at(0), inputs.at(1).left_out() ? -1 : inputs.at(1).dims.at(0));
  });
  session->ShutGate();
  Publish(spec, session);
  const auto scaled = [](int64_t rows) {
    InferRequest request = EchoRequest(rows);
    request.inputs.push_back(MakeTensor("scale", DataType::kFp32, {rows, 1}, std::string(static_cast<size_t>(rows) * 4, '\2')));
    return request;
  };
  ASSERT_TRUE(Submit(1).ok());
  session->WaitForStarted(1);
  ASSERT_TRUE(Submit(2, scaled(2)).ok());
  ASSERT_TRUE(Submit(3, EchoRequest(1)).ok());
  ASSERT_TRUE(Submit(4, scaled(3)).ok());
  session->OpenGate();
  for (uint64_t token = 1; token <= 4; ++token) {
    const pipeline::Outcome outcome = sink_->Take(token);
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.message();
    const session::Tensor& y = outcome.outputs[0];
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(y.bytes.data), y.bytes.size),
              std::string(static_cast<size_t>(y.dims[0]) * 16, '\1'));
  }
  engine_.Stop();
  const std::vector<std::pair<int64_t, int64_t>> expected = {{1, -1}, {5, 5}, {1, -1}};
  EXPECT_EQ(runs, expected);
}

TEST_F(EngineTest, AFullQueueGivesTheAdmissionBack) {
  session_->ShutGate();
  VersionSpec spec = EchoSpec();
  spec.pipeline.batching.queue.max_items = 1;
  Publish(spec);
  ASSERT_TRUE(Submit(1).ok());
  session_->WaitForStarted(1);
  ASSERT_TRUE(Submit(2).ok());
  EXPECT_EQ(Submit(3).status().code(), StatusCode::kQueueFull);
  EXPECT_EQ(engine_.admission().requests(), 2u);
  session_->OpenGate();
  sink_->WaitFor(2);
}

TEST_F(EngineTest, TheClientsDeadlineAndItsTimeoutBothReachTheQueue) {
  session_->ShutGate();
  Publish();
  ASSERT_TRUE(Submit(1).ok());
  session_->WaitForStarted(1);
  InferRequest hurried = EchoRequest();
  hurried.timeout_us = 1000;
  ASSERT_TRUE(Submit(2, hurried, MonotonicNs() + 3'600'000'000'000).ok());
  InferRequest patient = EchoRequest();
  patient.timeout_us = UINT64_MAX;  // must not overflow into the past
  ASSERT_TRUE(Submit(3, patient).ok());
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestTimeout) << "while the lane is busy";
  EXPECT_EQ(Submit(4, patient, MonotonicNs()).status().code(), StatusCode::kRequestTimeout);
  session_->OpenGate();
  EXPECT_TRUE(sink_->Take(3).status.ok());
}

TEST_F(EngineTest, AnAnswerCanBeCountedWhileItsVersionIsServedAndKeepsNoVersionAlive) {
  Publish();
  const Accepted accepted = Submit(1).value();
  sink_->Take(1);
  EXPECT_EQ(accepted.pipeline.lock().get(), &engine_.catalog().Current()->Find("echo", "").value()->version->pipeline());
  engine_.Stop();
  EXPECT_TRUE(accepted.pipeline.expired());
}

TEST_F(EngineTest, CancelReachesQueuedAndRunningWork) {
  session_->ShutGate();
  Publish();
  const Accepted running = Submit(1).value();
  session_->WaitForStarted(1);
  const Accepted queued = Submit(2).value();
  engine_.Cancel(queued.job);
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestCancelled);
  engine_.Cancel(running.job);
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kRequestCancelled);
  engine_.Cancel(running.job);
  EXPECT_EQ(engine_.admission().requests(), 0u);
}

// Promises the name of the thread that destroys it.
class MortalSession : public session::FakeSession {
 public:
  MortalSession() : FakeSession(SignatureOf(EchoSpec())) {}
  ~MortalSession() override {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    destroyer_.set_value(name.data());
  }
  std::future<std::string> Destroyer() { return destroyer_.get_future(); }

 private:
  std::promise<std::string> destroyer_;
};

bool IsAlive(const std::future<std::string>& destroyer) {
  return destroyer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
}

TEST_F(EngineTest, ARetiredVersionFinishesItsWorkAndDiesOnTheReaper) {
  auto session = std::make_shared<MortalSession>();
  std::future<std::string> destroyer = session->Destroyer();
  session::FakeSession* retired = session.get();
  retired->ShutGate();
  Publish(EchoSpec(1), std::move(session));
  ASSERT_TRUE(Submit(1).ok());
  retired->WaitForStarted(1);
  ASSERT_TRUE(Submit(2).ok());
  Publish(EchoSpec(2));
  EXPECT_EQ(Submit(3).value().plan.model_version, "2");
  EXPECT_TRUE(sink_->Take(3).status.ok());
  engine_.reaper().Flush();
  EXPECT_TRUE(IsAlive(destroyer)) << "it has work";
  retired->OpenGate();
  EXPECT_TRUE(sink_->Take(1).status.ok());
  EXPECT_TRUE(sink_->Take(2).status.ok());
  EXPECT_EQ(destroyer.get(), "penstock-reaper") << "although a lane dropped the last reference, with the job";
}

TEST_F(LargeAnswers, CountForTheWholeOutputThatTheyAreViewsOfUntilTheLastHasLeft) {
  constexpr int64_t kColumns = 16384;
  constexpr uint64_t kRowBytes = 4 * kColumns;
  VersionSpec spec = EchoSpec();
  spec.inputs[0].dims = spec.outputs[0].dims = {-1, kColumns};
  spec.pipeline.batching.merge = true;
  spec.pipeline.charge = [this](uint64_t bytes) { return engine_.ChargeAnswer(bytes); };
  const auto session = FakeFor(spec);
  session->ShutGate();
  Publish(spec, session);
  const auto submit = [&](uint64_t token) {
    InferRequest request = EchoRequest();
    request.inputs[0] = MakeTensor("x", DataType::kFp32, {1, kColumns}, std::string(kRowBytes, '\1'));
    return Submit(token, std::move(request)).ok();
  };
  ASSERT_TRUE(submit(1));
  session->WaitForStarted(1);
  ASSERT_TRUE(submit(2));
  ASSERT_TRUE(submit(3));
  session->OpenGate();
  sink_->Take(1);
  pipeline::Outcome quick = sink_->Take(2);
  pipeline::Outcome slow = sink_->Take(3);
  EXPECT_EQ(engine_.admission().bytes(), 2 * kRowBytes) << "once, though two answers are views of it";
  quick = pipeline::Outcome();
  EXPECT_EQ(engine_.admission().bytes(), 2 * kRowBytes) << "the other one keeps all of it";
  slow = pipeline::Outcome();
  EXPECT_EQ(engine_.admission().bytes(), 0u);
}

TEST_F(EngineTest, AnExpiredJobOfARetiredVersionDoesNotDestroyItWhereItEnds) {
  auto session = std::make_shared<MortalSession>();
  std::future<std::string> destroyer = session->Destroyer();
  session::FakeSession* retired = session.get();
  retired->ShutGate();
  Publish(EchoSpec(1), std::move(session));
  const Accepted running = Submit(1).value();
  retired->WaitForStarted(1);
  InferRequest hurried = EchoRequest();
  hurried.timeout_us = 1000;
  ASSERT_TRUE(Submit(2, hurried).ok());
  Publish(EchoSpec(2));
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestTimeout);
  engine_.Cancel(running.job);
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kRequestCancelled);
  EXPECT_EQ(destroyer.get(), "penstock-reaper");
}

TEST_F(EngineTest, AnExpiredJobThatWasTheLastOfARetiredVersionDoesNotDestroyItWhereItEnds) {
  auto session = std::make_shared<MortalSession>();
  std::future<std::string> destroyer = session->Destroyer();
  VersionSpec spec = EchoSpec(1);
  spec.pipeline.batching.merge = true;
  spec.pipeline.batching.max_delay_ns = 3'600'000'000'000;
  spec.pipeline.batching.queue.default_policy.default_timeout_us = 100'000;
  Publish(spec, std::move(session));
  ASSERT_TRUE(Submit(1).ok());
  Publish(EchoSpec(2));
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(destroyer.get(), "penstock-reaper") << "although the thread of the alarms dropped the last reference, with the job";
}

TEST_F(EngineTest, StopEndsAllWorkAlsoOfRetiredVersionsAndRefusesMore) {
  auto session = std::make_shared<MortalSession>();
  std::future<std::string> destroyer = session->Destroyer();
  session::FakeSession* retired = session.get();
  retired->ShutGate();
  Publish(EchoSpec(1), std::move(session));
  ASSERT_TRUE(Submit(1).ok());
  retired->WaitForStarted(1);
  session_->ShutGate();
  Publish(EchoSpec(2));
  ASSERT_TRUE(Submit(2).ok());
  session_->WaitForStarted(1);
  ASSERT_TRUE(Submit(3).ok());
  engine_.Stop();
  EXPECT_EQ(sink_->count(), 3u) << "before Stop returns";
  for (uint64_t token = 1; token <= 3; ++token) EXPECT_EQ(sink_->Take(token).status.code(), StatusCode::kServerExiting);
  EXPECT_FALSE(IsAlive(destroyer));
  EXPECT_EQ(Submit(4).status().code(), StatusCode::kServerExiting);
  EXPECT_EQ(engine_.admission().requests(), 0u);
  engine_.Stop();
}

}  // namespace
}  // namespace penstock::serving
