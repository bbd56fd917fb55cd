// Small allocations that fail: whoever was let in gets an outcome, whoever was not keeps the job.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/test_failing_allocation.h"
#include "pipeline/batch_run.h"
#include "pipeline/deadline_thread.h"
#include "pipeline/pipeline_fixture.h"

namespace penstock::pipeline {
namespace {

static_assert(noexcept(std::declval<Alarm&>().Set(0)), "it is set for a job that has been taken already");

using OutOfMemoryTest = PipelineTest;

TEST_F(OutOfMemoryTest, ASubmitThatThrowsHasNotTakenTheJob) {
  OccupyTheOnlyLane();
  size_t accepted = 1;
  uint64_t token = 1;
  // First with an empty queue, where much is allocated, then with one that has grown, where the alarm is all that is left.
  for (const int number : {0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0}) {
    auto job = FloatJob(1, {{1, 1}});
    job->token = ++token;
    job->sink = sink_;
    job->deadline_ns = MonotonicNs() + 3600'000'000'000 - static_cast<int64_t>(token) * 60'000'000'000;  // the alarm moves each time
    const size_t queued = pipeline_->queue_length();
    bool threw = false;
    {
      const FailingAllocation failing(number);
      try {
        ASSERT_TRUE(pipeline_->Submit(&job).ok());
      } catch (const std::bad_alloc&) {
        threw = true;
      }
    }
    EXPECT_EQ(job != nullptr, threw) << "allocation " << number;
    EXPECT_EQ(pipeline_->queue_length(), threw ? queued : queued + 1) << "allocation " << number;
    if (!threw) ++accepted;
  }
  session_->OpenGate();
  sink_->WaitFor(accepted);
  pipeline_->Close();
  EXPECT_EQ(sink_->count(), accepted);
}

TEST_F(OutOfMemoryTest, EveryJobOfABatchEndsWhicheverAllocationFails) {
  session_->JudgeRuns([](const std::vector<session::Tensor>& inputs) {
    return inputs[0].dims[0] > 2 ? Status(StatusCode::kModelRun, "in halves, please, with a message that takes memory") : Status::Ok();
  });
  const auto control = session_->NewRunControl();
  BatchRunOptions options;
  options.merge = true;
  Counters counters;
  for (int number = 0;; ++number) {
    ASSERT_LT(number, 1000);
    std::vector<std::shared_ptr<Job>> jobs;
    for (int i = 0; i < 4; ++i) jobs.push_back(FloatJob(1, {{static_cast<float>(i), 0.5f}}));
    bool happened = false;
    {
      const FailingAllocation failing(number);
      RunBatch(*session_, *control, options, jobs, &counters, nullptr);
      happened = failing.happened();
    }
    for (int i = 0; i < 4; ++i) {
      const Job& job = *jobs[static_cast<size_t>(i)];
      ASSERT_TRUE(job.ended) << "allocation " << number;
      if (job.result.status.ok()) {
        EXPECT_EQ(FloatsOf(job.result.outputs.at(0)), (std::vector<float>{static_cast<float>(i), 0.5f})) << "allocation " << number;
      } else {
        EXPECT_TRUE(happened);
        EXPECT_EQ(job.result.status.code(), StatusCode::kMemory) << "allocation " << number;
      }
    }
    if (!happened) break;
  }
}

}  // namespace
}  // namespace penstock::pipeline
