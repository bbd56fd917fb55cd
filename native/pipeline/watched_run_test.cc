#include "pipeline/watched_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "pipeline/job_maker.h"
#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

class WatchedRunTest : public ::testing::Test {
 protected:
  void SetUp() override { session_->RunOnGpus({"GPU-0"}); }

  WatchedRun Run(int64_t begin_ns) {
    std::vector<session::Tensor> results;
    const std::vector<session::Tensor> inputs = {{DataType::kFp32, {1, 4}, OwnedSlice(FloatBytes({1, 2, 3, 4}))}};
    return RunWatched(*session_, inputs, {0}, *control_, heartbeat_.get(), begin_ns, &results);
  }
  // What is said of a run that began two minutes ago and goes on.
  int64_t HungMsMeanwhile() {
    session_->ShutGate();
    const size_t before = session_->started();
    std::thread runner([this] { Run(MonotonicNs() - 120'000'000'000); });
    session_->WaitForStarted(before + 1);
    const int64_t hung_ms = heartbeats_.activity("GPU-0", MonotonicNs()).hung_ms;
    session_->OpenGate();
    runner.join();
    return hung_ms;
  }

  std::shared_ptr<session::FakeSession> session_ = session::FakeSession::WithOneInput();
  std::unique_ptr<session::RunControl> control_ = session_->NewRunControl();
  Heartbeats heartbeats_{60'000'000'000};
  std::shared_ptr<RunHistory> history_ = std::make_shared<RunHistory>();
  std::unique_ptr<Heartbeat> heartbeat_ = heartbeats_.Add("echo 1", "GPU-0", history_);
};

TEST_F(WatchedRunTest, TellsWhoeverWatches) {
  EXPECT_GE(HungMsMeanwhile(), 120'000);
  EXPECT_GT(history_->Quantile999(), 0);
  EXPECT_GE(heartbeats_.activity("GPU-0", MonotonicNs()).last_batch_age_ms, 0);
}

TEST_F(WatchedRunTest, IsNotTimedWhereItIsTheFirstOfItsKind) {
  session_->CallRunsFirst(true);
  EXPECT_EQ(HungMsMeanwhile(), 0);
  EXPECT_EQ(history_->Quantile999(), 0) << "hangs would be allowed as long";
}

TEST_F(WatchedRunTest, FailsWithoutMemory) {
  session_->ThrowBadAlloc(true);
  EXPECT_EQ(Run(MonotonicNs()).status.code(), StatusCode::kMemory);
}

TEST_F(WatchedRunTest, NamesWhatBreaksTheContext) {
  session_->FailWith(Status(StatusCode::kGpuFault, "CUDA_ERROR_ILLEGAL_ADDRESS"));
  EXPECT_EQ(Run(MonotonicNs()).status.code(), StatusCode::kGpuFault);
  EXPECT_EQ(heartbeats_.activity("GPU-0", MonotonicNs()).suspect, "echo 1");
}

}  // namespace
}  // namespace penstock::pipeline
