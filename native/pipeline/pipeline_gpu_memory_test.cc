// What a pipeline does when its GPU's memory is not enough.
#include <gtest/gtest.h>

#include <atomic>

#include "pipeline/pipeline_fixture.h"

namespace penstock::pipeline {
namespace {

class PipelineGpuMemoryTest : public PipelineTest {
 protected:
  void SetUp() override {
    session_->RunOnGpus({"GPU-0"});
    session_->JudgeRuns([this](const std::vector<session::Tensor>& inputs) {
      return inputs[0].dims[0] > room_ ? Status(StatusCode::kGpuMemory, "the GPU's memory is not enough") : Status::Ok();
    });
  }
  // Lets these run as they may be batched.
  void RunTogether(uint64_t jobs) {
    session_->ShutGate();
    const size_t started = session_->started();
    Submit(++token_);
    session_->WaitForStarted(started + 1);
    for (uint64_t i = 1; i < jobs; ++i) SubmitValue(++token_, 1);
    session_->OpenGate();
    sink_->WaitFor(token_);
  }

  std::atomic<int64_t> room_{1000};
  uint64_t token_ = 0;
};

TEST_F(PipelineGpuMemoryTest, AnswersEverybodyAndMakesLaterBatchesSmaller) {
  Start(Merging(8));
  room_ = 4;
  RunTogether(9);
  for (uint64_t token = 1; token <= 9; ++token) EXPECT_TRUE(sink_->Take(token).status.ok()) << token;
  EXPECT_EQ(pipeline_->batch_limit(), 4);
  EXPECT_EQ(session_->spare_memory_releases(), 1u);
  const size_t before = session_->rows_per_run().size();
  RunTogether(9);
  const std::vector<int64_t> rows = session_->rows_per_run();
  EXPECT_EQ((std::vector<int64_t>{rows.begin() + static_cast<ptrdiff_t>(before), rows.end()}), (std::vector<int64_t>{1, 4, 4}));
  EXPECT_EQ(session_->spare_memory_releases(), 1u);
}

TEST_F(PipelineGpuMemoryTest, GrowsBackWhenTheMemoryIsThereAgain) {
  Start(Merging(8));
  room_ = 4;
  RunTogether(9);
  room_ = 1000;
  for (int64_t i = 0; i < batching::Batcher::kRunsPerDoubling; ++i) RunTogether(1);
  EXPECT_EQ(pipeline_->batch_limit(), 0);
  RunTogether(9);
  EXPECT_EQ(session_->rows_per_run().back(), 8);
}

TEST_F(PipelineGpuMemoryTest, ARowThatNeverFitsIsToldSoAndNobodyElseFeelsIt) {
  Start(Merging(8));
  room_ = 0;
  RunTogether(1);
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kGpuMemory);
  EXPECT_EQ(pipeline_->batch_limit(), 0);
  EXPECT_EQ(Failures(FailureReason::kBackend), 1u);
  room_ = 1000;
  RunTogether(9);
  for (uint64_t token = 2; token <= 10; ++token) EXPECT_TRUE(sink_->Take(token).status.ok()) << token;
}

TEST_F(PipelineGpuMemoryTest, AGpuThatIsGoneEndsTheQueueWithOneRunABatch) {
  Start(Merging(4));
  session_->ShutGate();
  Submit(1);
  session_->WaitForStarted(1);
  for (uint64_t token = 2; token <= 13; ++token) SubmitValue(token, 1);
  session_->FailWith(Status(StatusCode::kGpuLost, "the GPU has fallen off the bus"));
  session_->OpenGate();
  for (uint64_t token = 1; token <= 13; ++token) EXPECT_EQ(sink_->Take(token).status.code(), StatusCode::kGpuLost);
  EXPECT_EQ(session_->rows_per_run(), (std::vector<int64_t>{1, 4, 4, 4}));
  EXPECT_EQ(Failures(FailureReason::kBackend), 13u);
  EXPECT_EQ(pipeline_->batch_limit(), 0);
}

}  // namespace
}  // namespace penstock::pipeline
