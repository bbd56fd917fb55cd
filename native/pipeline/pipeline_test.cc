#include "pipeline/pipeline.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "base/clock.h"
#include "memory/block.h"
#include "pipeline/pipeline_fixture.h"

namespace penstock::pipeline {
namespace {

TEST_F(PipelineTest, JoinsThePiecesOfAnInputWithOneCopyAByte) {
  Start();
  auto job = MakeJob(1, sink_, {1, 2, 5});
  ASSERT_TRUE(pipeline_->Submit(&job).ok());
  const Outcome outcome = sink_->Take(1);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_TRUE(outcome.final);
  ASSERT_EQ(outcome.outputs.size(), 1u);
  EXPECT_EQ(outcome.outputs[0].dims, (std::vector<int64_t>{1, 8}));
  const auto* values = reinterpret_cast<const float*>(outcome.outputs[0].bytes.data);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(values[i], static_cast<float>(i + 1));
  EXPECT_EQ(Counts().bytes_received, 32u);
  EXPECT_EQ(Counts().bytes_copied, 32u);
}

TEST_F(PipelineTest, RunsAnAlignedBlockOfTheEngineWhereItLies) {
  const uint8_t* seen = nullptr;
  session_->OnRun([&seen](const std::vector<session::Tensor>& inputs) { seen = inputs[0].bytes.data; });
  Start();
  auto block = memory::BlockPool::Process().Allocate(16).value();
  std::fill_n(block->data(), 16, uint8_t{0});
  const uint8_t* made = block->data();
  auto job = MakeJob(1, sink_);
  job->inputs[0].data = memory::SliceChain(memory::WholeSlice(block));
  job->inputs[0].in_place = true;
  ASSERT_TRUE(pipeline_->Submit(&job).ok());
  ASSERT_TRUE(sink_->Take(1).status.ok());
  EXPECT_EQ(seen, made);
  EXPECT_EQ(Counts().bytes_copied, 0u);
}

TEST_F(PipelineTest, CopiesAnEngineSliceThatIsNotAligned) {
  const uint8_t* seen = nullptr;
  session_->OnRun([&seen](const std::vector<session::Tensor>& inputs) { seen = inputs[0].bytes.data; });
  Start();
  auto block = memory::BlockPool::Process().Allocate(20).value();
  std::fill_n(block->data(), 20, uint8_t{0});
  auto job = MakeJob(1, sink_);
  job->inputs[0].data = memory::SliceChain(memory::WholeSlice(block).Sub(4, 16));
  job->inputs[0].in_place = true;
  ASSERT_TRUE(pipeline_->Submit(&job).ok());
  ASSERT_TRUE(sink_->Take(1).status.ok());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(seen) % memory::BlockPool::kAlignment, 0u);
  EXPECT_EQ(Counts().bytes_copied, 16u);
}

TEST_F(PipelineTest, GivesClientBuffersBackBeforeTheModelRuns) {
  session_->ShutGate();
  Start();
  auto job = MakeJob(1, sink_);
  std::weak_ptr<const void> buffer = job->inputs[0].data.slices()[0].owner;
  ASSERT_TRUE(pipeline_->Submit(&job).ok());
  session_->WaitForStarted(1);
  EXPECT_TRUE(buffer.expired());
  session_->OpenGate();
  EXPECT_TRUE(sink_->Take(1).status.ok());
}

TEST_F(PipelineTest, RunsAsManyJobsAtOnceAsItHasLanes) {
  session_->ShutGate();
  Start(3);
  for (uint64_t token = 1; token <= 5; ++token) Submit(token);
  session_->WaitForStarted(3);
  EXPECT_EQ(pipeline_->queue_length(), 2u);
  session_->OpenGate();
  sink_->WaitFor(5);
  EXPECT_EQ(session_->most_at_once(), 3u);
  EXPECT_EQ(session_->threads().size(), 3u);
}

TEST_F(PipelineTest, LaneThreadsCarryTheirName) {
  std::array<char, 16> name{};
  session_->OnRun([&name](const std::vector<session::Tensor>&) { pthread_getname_np(pthread_self(), name.data(), name.size()); });
  Start();
  Submit(1);
  sink_->Take(1);
  EXPECT_STREQ(name.data(), "penstock-lane");
}

TEST_F(PipelineTest, MomentsOfAJobAreInOrderAndCounted) {
  Start();
  Submit(1);
  const Timing timing = sink_->Take(1).timing;
  EXPECT_GT(timing.accepted_ns, 0);
  EXPECT_LE(timing.accepted_ns, timing.dequeued_ns);
  EXPECT_LE(timing.dequeued_ns, timing.input_ready_ns);
  EXPECT_LE(timing.input_ready_ns, timing.run_end_ns);
  EXPECT_LE(timing.run_end_ns, timing.completed_ns);
  EXPECT_EQ(Counts().success.ns, static_cast<uint64_t>(timing.completed_ns - timing.accepted_ns));
}

TEST_F(PipelineTest, AJobWhoseDeadlinePassesInTheQueueNeverRuns) {
  session_->ShutGate();
  Start();
  Submit(1);
  session_->WaitForStarted(1);
  const int64_t deadline_of_2 = MonotonicNs() + 500'000'000;
  Submit(2, deadline_of_2);
  Submit(3);
  while (MonotonicNs() < deadline_of_2) std::this_thread::yield();
  session_->OpenGate();
  sink_->WaitFor(3);
  const Outcome expired = sink_->Take(2);
  EXPECT_EQ(expired.status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(expired.status.message().rfind("Request timeout expired", 0), 0u) << expired.status.message();
  EXPECT_TRUE(sink_->Take(3).status.ok());
  EXPECT_EQ(session_->started(), 2u);
  EXPECT_EQ(Failures(FailureReason::kRejected), 1u);
}

TEST_F(PipelineTest, AFullQueueRefusesAndLeavesTheJobWithItsCaller) {
  session_->ShutGate();
  batching::QueueOptions queue;
  queue.max_items = 1;
  Start(1, queue);
  Submit(1);
  session_->WaitForStarted(1);
  Submit(2);
  auto job = MakeJob(3, sink_);
  const Status status = pipeline_->Submit(&job);
  EXPECT_EQ(status.code(), StatusCode::kQueueFull);
  EXPECT_NE(job, nullptr);
  EXPECT_EQ(Failures(FailureReason::kRejected), 1u);
  session_->OpenGate();
  sink_->WaitFor(2);
  EXPECT_EQ(sink_->count(3), 0u) << "a refused job is never called back";
}

TEST_F(PipelineTest, CancellingAQueuedJobEndsItAtOnce) {
  session_->ShutGate();
  Start();
  Submit(1);
  session_->WaitForStarted(1);
  const auto queued = Submit(2);
  pipeline_->Cancel(queued);
  EXPECT_EQ(sink_->count(2), 1u) << "before Cancel returns";
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestCancelled);
  EXPECT_EQ(pipeline_->queue_length(), 0u);
  EXPECT_EQ(Failures(FailureReason::kCanceled), 1u);
  session_->OpenGate();
  EXPECT_TRUE(sink_->Take(1).status.ok());
}

TEST_F(PipelineTest, CancellingARunningJobStopsItAndSparesTheNext) {
  session_->ShutGate();
  Start();
  const auto running = Submit(1);
  session_->WaitForStarted(1);
  Submit(2);
  pipeline_->Cancel(running);
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kRequestCancelled);
  session_->WaitForStarted(2);
  pipeline_->Cancel(running);  // has ended: must not reach the lane's next job
  session_->OpenGate();
  EXPECT_TRUE(sink_->Take(2).status.ok());
  EXPECT_EQ(sink_->count(1), 0u) << "one outcome, although cancelled twice";
}

TEST_F(PipelineTest, AFailedRunEndsItsJobOnly) {
  Start();
  session_->FailWith(Status(StatusCode::kModelRun, "the node broke"));
  Submit(1);
  const Outcome failed = sink_->Take(1);
  EXPECT_EQ(failed.status.code(), StatusCode::kModelRun);
  EXPECT_EQ(failed.status.message(), "the node broke");
  EXPECT_TRUE(failed.outputs.empty());
  EXPECT_EQ(Failures(FailureReason::kBackend), 1u);
  session_->FailWith(Status::Ok());
  Submit(2);
  EXPECT_TRUE(sink_->Take(2).status.ok());
}

TEST_F(PipelineTest, RunningOutOfMemoryEndsThatJobOnly) {
  Start();
  session_->ThrowBadAlloc(true);
  Submit(1);
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kMemory);
  session_->ThrowBadAlloc(false);
  memory::BlockPool::Process().set_limit_bytes(1);
  Submit(2);
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kMemory) << "the gather hits the pool's limit";
  memory::BlockPool::Process().set_limit_bytes(0);
  Submit(3);
  EXPECT_TRUE(sink_->Take(3).status.ok());
}

TEST_F(PipelineTest, ClosingEndsQueuedAndRunningJobsAndRefusesNewOnes) {
  session_->ShutGate();
  Start();
  Submit(1);
  session_->WaitForStarted(1);
  Submit(2);
  pipeline_->Close();
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kModelNotReady) << "not kRequestCancelled: the client cancelled nothing";
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kModelNotReady);
  auto job = MakeJob(3, sink_);
  EXPECT_EQ(pipeline_->Submit(&job).code(), StatusCode::kModelNotReady);
  pipeline_->Close(Status(StatusCode::kServerExiting, "Server exiting"));
  EXPECT_EQ(pipeline_->Submit(&job).code(), StatusCode::kModelNotReady) << "the first reason stays";
}

TEST_F(PipelineTest, ClosingWithAReasonTellsThatReasonToEveryJob) {
  session_->ShutGate();
  Start();
  Submit(1);
  session_->WaitForStarted(1);
  Submit(2);
  pipeline_->Close(Status(StatusCode::kServerExiting, "Server exiting"));
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kServerExiting);
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kServerExiting);
  EXPECT_EQ(Failures(FailureReason::kRejected), 2u);
}

TEST_F(PipelineTest, GivesItsAdmissionBackBeforeTheOutcomeLeaves) {
  struct AskingSink : FakeSink {
    void Complete(uint64_t token, Outcome outcome) override {
      free_at_outcome = admission.expired();
      FakeSink::Complete(token, std::move(outcome));
    }
    std::weak_ptr<const void> admission;
    std::atomic<bool> free_at_outcome{false};
  };
  auto sink = std::make_shared<AskingSink>();
  std::shared_ptr<const void> admission = std::make_shared<int>(0);
  sink->admission = admission;
  Start();
  auto job = MakeJob(1, sink);
  job->admission = std::move(admission);
  ASSERT_TRUE(pipeline_->Submit(&job).ok());
  sink->Take(1);
  EXPECT_TRUE(sink->free_at_outcome);
}

TEST_F(PipelineTest, AnEmptyTensorRuns) {
  Start();
  auto job = MakeJob(1, sink_, {});
  ASSERT_TRUE(pipeline_->Submit(&job).ok());
  const Outcome outcome = sink_->Take(1);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.outputs[0].bytes.size, 0u);
}

}  // namespace
}  // namespace penstock::pipeline
