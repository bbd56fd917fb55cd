// What becomes of jobs that wait, run and leave together.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "pipeline/pipeline_fixture.h"

namespace penstock::pipeline {
namespace {

using PipelineBatchTest = PipelineTest;

TEST_F(PipelineBatchTest, JobsThatWaitTogetherRunTogetherWhateverTheirRowCounts) {
  OccupyTheOnlyLane();
  SubmitJob(2, FloatJob(1, {{2, 2}}));
  SubmitJob(3, FloatJob(3, {{3, 3, 3, 3, 3, 3}}));
  SubmitJob(4, FloatJob(2, {{4, 4, 4, 4}}));
  session_->OpenGate();
  for (uint64_t token = 2; token <= 4; ++token) {
    const Outcome outcome = sink_->Take(token);
    ASSERT_TRUE(outcome.status.ok());
    for (const float value : FloatsOf(outcome.outputs.at(0))) EXPECT_EQ(value, static_cast<float>(token));
  }
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{1, 6}));
  const CounterSnapshot counts = Counts();
  EXPECT_EQ(counts.inference_count, 7u);
  EXPECT_EQ(counts.execution_count, 2u);
  EXPECT_EQ(counts.success.count, 4u);
  EXPECT_EQ(counts.compute_infer.count, 4u) << "each request counts the compute time of its batch";
  EXPECT_EQ(counts.bytes_copied, counts.bytes_received);
}

TEST_F(PipelineBatchTest, ABatchNeverPassesItsLimit) {
  OccupyTheOnlyLane(Merging(4));
  for (uint64_t token = 2; token <= 11; ++token) SubmitValue(token, 1);
  session_->OpenGate();
  sink_->WaitFor(11);
  for (const int64_t rows : session_->rows_per_run()) EXPECT_LE(rows, 4);
  EXPECT_EQ(session_->started(), 4u);
}

TEST_F(PipelineBatchTest, JobsOfDifferentGroupsNeverShareARun) {
  OccupyTheOnlyLane();
  auto wide = FloatJob(1, {{1, 2, 3}});
  wide->group = "wide";
  SubmitValue(2, 2);
  SubmitJob(3, wide);
  SubmitValue(4, 4);
  session_->OpenGate();
  sink_->WaitFor(4);
  EXPECT_EQ(sink_->Take(3).outputs.at(0).dims, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(session_->started(), 3u);
}

TEST_F(PipelineBatchTest, ANeighbourThatFailsHarmsNobody) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    for (const float value : FloatsOf(inputs[0])) {
      if (value == 666) return Status(StatusCode::kModelRun, "bad value");
    }
    return Status::Ok();
  });
  OccupyTheOnlyLane();
  for (uint64_t token = 2; token <= 6; ++token) SubmitValue(token, token == 4 ? 666.0f : static_cast<float>(token));
  session_->OpenGate();
  EXPECT_EQ(sink_->Take(4).status.message(), "bad value");
  for (const uint64_t token : {2u, 3u, 5u, 6u}) {
    const Outcome outcome = sink_->Take(token);
    ASSERT_TRUE(outcome.status.ok());
    EXPECT_EQ(FloatsOf(outcome.outputs.at(0)), std::vector<float>(2, static_cast<float>(token)));
  }
  EXPECT_EQ(Failures(FailureReason::kBackend), 1u);
}

TEST_F(PipelineBatchTest, CancellingOneOfARunningBatchLetsTheOthersFinish) {
  const auto batch = HoldABatchAtTheGate({2, 3, 4});
  pipeline_->Cancel(batch[1]);
  session_->OpenGate();
  EXPECT_EQ(sink_->Take(3).status.code(), StatusCode::kRequestCancelled);
  for (const uint64_t token : {2u, 4u}) {
    const Outcome outcome = sink_->Take(token);
    ASSERT_TRUE(outcome.status.ok());
    EXPECT_EQ(FloatsOf(outcome.outputs.at(0)), std::vector<float>(2, static_cast<float>(token)));
  }
}

TEST_F(PipelineBatchTest, CancellingTheLastOfARunningBatchStopsTheRun) {
  const auto batch = HoldABatchAtTheGate({2, 3});
  pipeline_->Cancel(batch[0]);
  pipeline_->Cancel(batch[1]);
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestCancelled) << "although the gate is shut";
  EXPECT_EQ(sink_->Take(3).status.code(), StatusCode::kRequestCancelled);
}

TEST_F(PipelineBatchTest, CancellingTheLastThatStillRunsStopsTheRunAlsoWhenOthersHaveTheirAnswers) {
  session_->JudgeRuns([this](const std::vector<session::Tensor>& inputs) {
    if (inputs[0].dims[0] > 1) return Status(StatusCode::kModelRun, "one by one, please");
    if (FloatsOf(inputs[0])[0] == 2) session_->ShutGate();  // for the run of 3
    return Status::Ok();
  });
  const auto batch = HoldABatchAtTheGate({2, 3});
  session_->OpenGate();
  session_->WaitForStarted(4);
  pipeline_->Cancel(batch[1]);
  EXPECT_EQ(sink_->Take(3).status.code(), StatusCode::kRequestCancelled) << "although the gate is shut";
  EXPECT_TRUE(sink_->Take(2).status.ok());
}

TEST_F(PipelineBatchTest, ClosingInTheMiddleOfABatchTellsTheReasonToAllButThoseWhoCancelled) {
  const auto batch = HoldABatchAtTheGate({2, 3, 4});
  SubmitValue(5, 5);
  pipeline_->Cancel(batch[0]);
  pipeline_->Close(Status(StatusCode::kServerExiting, "Server exiting"));
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestCancelled);
  for (uint64_t token = 3; token <= 5; ++token) EXPECT_EQ(sink_->Take(token).status.code(), StatusCode::kServerExiting) << token;
  EXPECT_EQ(session_->started(), 2u) << "a run that was stopped is not tried again in halves";
}

TEST_F(PipelineBatchTest, TimeoutsFireWhileTheOnlyLaneIsBusy) {
  OccupyTheOnlyLane();
  auto patient = FloatJob(1, {{2, 2}});
  patient->timeout_us = 20'000;
  SubmitJob(2, patient);
  auto hasty = FloatJob(1, {{3, 3}});
  hasty->deadline_ns = MonotonicNs() + 500'000'000;
  SubmitJob(3, hasty);
  EXPECT_EQ(sink_->Take(3).status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(pipeline_->queue_length(), 0u);
  EXPECT_EQ(Failures(FailureReason::kRejected), 2u);
  EXPECT_EQ(Counts().dropped_at_dispatch, 0u) << "they had expired";
  session_->OpenGate();
  EXPECT_TRUE(sink_->Take(1).status.ok());
  EXPECT_EQ(session_->started(), 1u);
}

TEST_F(PipelineBatchTest, CountsWhatItDropsBecauseItCannotEndInTime) {
  session_->JudgeRuns([](const std::vector<session::Tensor>&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1000));
    return Status::Ok();
  });
  Start();
  Submit(1);
  session_->WaitForStarted(1);
  Submit(2, MonotonicNs() + 1'900'000'000);  // nothing is known about run times yet; later it is known that 900 ms are too little
  EXPECT_EQ(sink_->Take(2).status.code(), StatusCode::kRequestTimeout);
  EXPECT_TRUE(sink_->Take(1).status.ok());
  pipeline_->Close();  // counted just after the outcome has left, by a thread that this joins
  EXPECT_EQ(Counts().dropped_at_dispatch, 1u);
  EXPECT_EQ(session_->started(), 1u);
}

TEST_F(PipelineBatchTest, RefusesEarlyByWhatTheWarmUpMeasured) {
  PipelineOptions options = Merging(1);
  options.run_samples = {{1, 1, 3600'000'000'000}};
  OccupyTheOnlyLane(options);
  auto job = MakeJob(2, sink_);
  job->deadline_ns = MonotonicNs() + 60'000'000'000;
  const Status status = pipeline_->Submit(&job);
  EXPECT_EQ(status.code(), StatusCode::kDeadlineUnreachable);
  EXPECT_NE(job, nullptr);
  EXPECT_EQ(Failures(FailureReason::kRejected), 1u);
}

TEST_F(PipelineBatchTest, TakesNoNoticeOfWhatMoreLanesThanItHasWouldDo) {
  PipelineOptions options = Merging(1);
  options.run_samples = {{2, 1, 3600'000'000'000}};  // nothing is known of one lane
  OccupyTheOnlyLane(options);
  Submit(2, MonotonicNs() + 60'000'000'000);
  session_->OpenGate();
  EXPECT_TRUE(sink_->Take(2).status.ok());
}

TEST_F(PipelineBatchTest, WaitsForMoreOnlyAsLongAsItIsTold) {
  PipelineOptions options = Merging(8);
  options.batching.max_delay_ns = 20'000'000;
  Start(options);
  const int64_t begin_ns = MonotonicNs();
  SubmitValue(1, 1);
  EXPECT_TRUE(sink_->Take(1).status.ok());
  EXPECT_GE(MonotonicNs() - begin_ns, 20'000'000);
}

// Five rows wait for eight or for an hour. Without the first of them they are four, which is a preferred size.
class PreferredSizeTest : public PipelineTest {
 protected:
  std::shared_ptr<Job> SubmitOneBeforeFour(uint64_t timeout_of_one_us) {
    PipelineOptions options = Merging(16);
    options.batching.preferred_rows = {4, 8};
    options.batching.max_delay_ns = 3600'000'000'000;
    options.batching.queue.priority_levels = 2;
    options.batching.queue.default_priority_level = 2;
    options.batching.queue.level_policies[1].default_timeout_us = timeout_of_one_us;
    Start(options);
    auto one = FloatJob(1, {{1, 1}});
    one->priority = 1;
    std::shared_ptr<Job> kept = SubmitJob(1, std::move(one));
    SubmitJob(2, FloatJob(4, {{2, 2, 2, 2, 2, 2, 2, 2}}));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the lane sees both, and sleeps
    return kept;
  }
};

TEST_F(PreferredSizeTest, IsFoundAtOnceWhenACancelledJobLeavesIt) {
  const auto one = SubmitOneBeforeFour(0);
  EXPECT_EQ(session_->started(), 0u);
  pipeline_->Cancel(one);
  EXPECT_TRUE(sink_->Take(2).status.ok());
}

TEST_F(PreferredSizeTest, IsFoundAtOnceWhenAnExpiredJobLeavesIt) {
  SubmitOneBeforeFour(500'000);
  EXPECT_TRUE(sink_->Take(2).status.ok());
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kRequestTimeout);
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{4}));
}

TEST_F(PipelineBatchTest, OutcomesLeaveInTheOrderOfStartsWhenAskedTo) {
  struct OrderedSink : FakeSink {
    void Complete(uint64_t token, Outcome outcome) override {
      order.push_back(token);  // one at a time: that is what is tested
      FakeSink::Complete(token, std::move(outcome));
    }
    std::vector<uint64_t> order;
  };
  const auto ordered = std::make_shared<OrderedSink>();
  sink_ = ordered;
  std::atomic<bool> slow_may_end{false};
  session_->JudgeRuns([&slow_may_end](const std::vector<session::Tensor>& inputs) {
    while (FloatsOf(inputs[0])[0] == 1 && !slow_may_end) std::this_thread::yield();
    return Status::Ok();
  });
  PipelineOptions options = Merging(1, 2);
  options.batching.preserve_ordering = true;
  Start(options);
  SubmitValue(1, 1);
  session_->WaitForStarted(1);
  SubmitValue(2, 2);
  SubmitValue(3, 3);
  session_->WaitForStarted(3);  // the lane that runs 3 has ended 2
  EXPECT_EQ(sink_->count(), 0u) << "2 is held until 1 has left";
  slow_may_end = true;
  sink_->WaitFor(3);
  EXPECT_EQ(ordered->order, (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(PipelineBatchTest, ASpinningLaneDoesNotHideWorkFromASleepingOne) {
  PipelineOptions options = Merging(1, 2);
  options.spin = {200'000'000, 2};  // at most one of the two lanes
  Start(options);
  session_->ShutGate();
  SubmitValue(1, 1);
  SubmitValue(2, 2);
  session_->WaitForStarted(2);
  session_->OpenGate();
  sink_->WaitFor(2);
}

TEST_F(PipelineBatchTest, CountsTheTimeThatLanesAreBusy) {
  Start();
  Submit(1);
  const Timing timing = sink_->Take(1).timing;
  EXPECT_GE(Counts().lane_busy_ns, static_cast<uint64_t>(timing.run_end_ns - timing.dequeued_ns));
}

}  // namespace
}  // namespace penstock::pipeline
