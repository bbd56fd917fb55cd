#include "pipeline/canary.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

using session::FakeSession;

class CanaryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    session_->RunOnGpus({"GPU-0", "GPU-1"});
    session_->AlterResults([this](std::vector<session::Tensor>* results) {
      const uint64_t run = runs_++;
      if (wrong_ || (random_ && run % 2 == 1)) const_cast<uint8_t*>((*results)[0].bytes.data)[3] ^= 1;
    });
  }
  std::unique_ptr<Canary> Make() {
    CanaryOptions options;
    options.model = "echo version 1";
    options.batched = true;
    options.watchdog = watchdog_;
    options.run_history = history_;
    return Canary::Create(session_, options, &why_);
  }

  std::shared_ptr<FakeSession> session_ = FakeSession::WithOneInput();
  std::shared_ptr<Watchdog> watchdog_ = std::make_shared<Watchdog>(WatchdogOptions{});
  std::shared_ptr<RunHistory> history_;
  std::atomic<uint64_t> runs_{0};
  std::atomic<bool> wrong_{false};
  bool random_ = false;
  std::string why_;
};

TEST_F(CanaryTest, AsksEachGpuOneRowAndFindsTheSameAnswer) {
  const auto canary = Make();
  ASSERT_NE(canary, nullptr) << why_;
  EXPECT_EQ(watchdog_->activity("GPU-0").last_batch_age_ms, -1) << "the first answers are not watched";
  const std::vector<CanaryCheck> checks = canary->Check();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].gpu, "GPU-0");
  EXPECT_EQ(checks[1].gpu, "GPU-1");
  for (const CanaryCheck& check : checks) {
    EXPECT_TRUE(check.status.ok());
    EXPECT_TRUE(check.mismatch.empty()) << check.mismatch;
    EXPECT_GE(watchdog_->activity(check.gpu).last_batch_age_ms, 0);
  }
  for (const int64_t rows : session_->rows_per_run()) EXPECT_EQ(rows, 1);
}

TEST_F(CanaryTest, FindsEveryGpuAlsoWhereOthersTakeControlsMeanwhile) {
  const auto others = session_->NewRunControl();
  const auto canary = Make();
  EXPECT_EQ(canary->Check().size(), 2u);
}

TEST_F(CanaryTest, SeesASingleBit) {
  const auto canary = Make();
  wrong_ = true;
  for (const CanaryCheck& check : canary->Check()) {
    EXPECT_TRUE(check.status.ok());
    EXPECT_EQ(check.mismatch, "echo version 1: output \"y\" differs in 1 of 16 bytes");
  }
  wrong_ = false;
  EXPECT_TRUE(canary->Check()[0].mismatch.empty());
}

TEST_F(CanaryTest, SaysWhyACheckCouldNotBeDone) {
  const auto canary = Make();
  session_->FailWith(Status(StatusCode::kGpuMemory, "no room"));
  EXPECT_EQ(canary->Check()[0].status.code(), StatusCode::kGpuMemory);
  EXPECT_EQ(canary->Check()[0].status.message(), "echo version 1: no room");
  session_->FailWith(Status::Ok());
  session_->ThrowBadAlloc(true);
  EXPECT_EQ(canary->Check()[0].status.code(), StatusCode::kMemory);
}

TEST_F(CanaryTest, HasNothingToCompareWithWhereAnswersAreRandom) {
  random_ = true;
  EXPECT_EQ(Make(), nullptr);
  EXPECT_NE(why_.find("does not always give the same answer: output \"y\" differs"), std::string::npos) << why_;
}

TEST_F(CanaryTest, IsNotThereWhereTheInputDoesNotRun) {
  session_->FailWith(Status(StatusCode::kModelRun, "index out of bounds"));
  EXPECT_EQ(Make(), nullptr);
  EXPECT_EQ(why_, "index out of bounds");
}

TEST_F(CanaryTest, IsSuspectedOfAContextThatItsFirstAnswersBreak) {
  session_->FailWith(Status(StatusCode::kGpuFault, "CUDA_ERROR_ILLEGAL_ADDRESS"));
  EXPECT_EQ(Make(), nullptr);
  EXPECT_EQ(watchdog_->activity("GPU-0").suspect, "echo version 1");
}

TEST_F(CanaryTest, MayWaitForItsTurnAsLongAsRunsOfItsVersionTake) {
  std::atomic<int> aborts{0};
  WatchdogOptions watching;
  watching.limit_ms = 20;
  watching.abort = [&aborts] { ++aborts; };
  watchdog_ = std::make_shared<Watchdog>(watching);
  history_ = std::make_shared<RunHistory>();
  const auto canary = Make();
  history_->Record(1'000'000'000);
  session_->ShutGate();
  std::thread checker([&] { canary->Check(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(watchdog_->activity("GPU-0").hung_ms, 0);
  EXPECT_EQ(aborts, 0);
  session_->OpenGate();
  checker.join();
}

TEST_F(CanaryTest, StopsInTheMiddleOfACheck) {
  const auto canary = Make();
  session_->ShutGate();
  const size_t before = session_->started();
  std::thread stopper([&] {
    session_->WaitForStarted(before + 1);
    canary->Stop();
  });
  for (const CanaryCheck& check : canary->Check()) EXPECT_EQ(check.status.code(), StatusCode::kRequestCancelled);
  stopper.join();
}

}  // namespace
}  // namespace penstock::pipeline
