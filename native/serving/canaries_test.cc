#include "serving/canaries.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "serving/reaper.h"
#include "serving/test_model.h"

namespace penstock::serving {
namespace {

void WaitUntil(const std::function<bool()>& holds) {
  for (int i = 0; i < 10'000 && !holds(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(holds());
}

class CanariesTest : public ::testing::Test {
 protected:
  struct Served {
    std::shared_ptr<session::FakeSession> session;
    std::shared_ptr<std::atomic<bool>> wrong = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<ModelVersion> version;
    VersionReport report;
  };
  Served Serve(int64_t number = 1, std::vector<std::string> gpus = {"GPU-0"}) {
    VersionSpec spec = EchoSpec(number);
    spec.warm_up = spec.canary = true;
    Served served;
    served.session = FakeFor(spec);
    served.session->RunOnGpus(std::move(gpus));
    served.session->AlterResults([wrong = served.wrong](std::vector<session::Tensor>* results) {
      if (*wrong) const_cast<uint8_t*>((*results)[0].bytes.data)[0] ^= 1;
    });
    served.version = reaper_.Adopt(ModelVersion::Create(served.session, spec, &served.report).value());
    canaries_.Add(served.version);
    return served;
  }
  CanaryState state() const { return canaries_.state("GPU-0"); }
  void WaitForRounds(uint64_t rounds) {
    const uint64_t before = state().runs;
    WaitUntil([&] { return state().runs >= before + rounds; });
  }

  Reaper reaper_;
  Canaries canaries_;
};

TEST_F(CanariesTest, CountsRightAndWrongAnswersByGpu) {
  const Served served = Serve();
  EXPECT_TRUE(served.report.notes.empty());
  EXPECT_EQ(state().age_ms, -1);
  canaries_.SetInterval(1);
  WaitForRounds(3);
  EXPECT_EQ(state().mismatches, 0u);
  EXPECT_GE(state().age_ms, 0);
  *served.wrong = true;
  WaitUntil([&] { return state().consecutive_mismatches >= 3; });
  EXPECT_EQ(state().text, "echo version 1: output \"y\" differs in 1 of 16 bytes");
  *served.wrong = false;
  WaitUntil([&] { return state().consecutive_mismatches == 0; });
  EXPECT_GE(state().mismatches, 3u);
  EXPECT_EQ(state().text, "");
  EXPECT_EQ(canaries_.state("GPU-1").runs, 0u);
}

TEST_F(CanariesTest, AVersionThatIsWellDoesNotHideAnotherThatIsNot) {
  const Served well = Serve(1);
  Served ill = Serve(2);
  *ill.wrong = true;
  canaries_.SetInterval(1);
  WaitUntil([&] { return state().consecutive_mismatches >= 5; });
  EXPECT_NE(state().text.find("echo version 2"), std::string::npos);
  ill.version.reset();
  WaitUntil([&] { return state().consecutive_mismatches == 0; });
}

TEST_F(CanariesTest, CountsChecksThatCouldNotBeDoneApart) {
  const Served served = Serve();
  served.session->FailWith(Status(StatusCode::kGpuMemory, "no room"));
  canaries_.SetInterval(1);
  WaitUntil([&] { return state().consecutive_failures >= 3; });
  EXPECT_EQ(state().runs, 0u);
  EXPECT_EQ(state().age_ms, -1);
  EXPECT_EQ(state().text, "echo version 1: no room");
  served.session->FailWith(Status::Ok());
  WaitForRounds(1);
  EXPECT_EQ(state().consecutive_failures, 0u);
}

TEST_F(CanariesTest, KeepsEveryGpuOfAVersionApart) {
  const Served served = Serve(1, {"GPU-0", "GPU-1"});
  canaries_.SetInterval(1);
  WaitForRounds(2);
  WaitUntil([&] { return canaries_.state("GPU-1").runs >= 2; });
}

TEST_F(CanariesTest, KeepsNoVersionAliveAndLeavesItsEndToTheReaper) {
  Served served = Serve();
  const std::weak_ptr<ModelVersion> itself = served.version->weak_from_this();
  canaries_.SetInterval(1);
  served.session->ShutGate();
  const size_t before = served.session->started();
  served.session->WaitForStarted(before + 1);
  served.version.reset();
  reaper_.Flush();
  EXPECT_FALSE(itself.expired()) << "held by the check in progress";
  served.session->OpenGate();
  WaitUntil([&] { return itself.expired(); });
  const size_t runs = served.session->started();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(served.session->started(), runs);
}

TEST_F(CanariesTest, ChecksNothingWithoutAnInterval) {
  const Served served = Serve();
  const size_t before = served.session->started();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(served.session->started(), before);
}

TEST_F(CanariesTest, StopsACheckInProgressAndCountsItNowhere) {
  const Served served = Serve();
  served.session->ShutGate();
  const size_t before = served.session->started();
  canaries_.SetInterval(1);
  served.session->WaitForStarted(before + 1);
  canaries_.Stop();
  EXPECT_EQ(state().runs + state().consecutive_failures, 0u);
  canaries_.Stop();
  canaries_.Add(served.version);
  EXPECT_EQ(served.session->started(), before + 1) << "and none begins any more";
}

TEST_F(CanariesTest, AModelOfTheCpuHasNone) {
  const Served served = Serve(1, {});
  EXPECT_EQ(served.version->canary(), nullptr);
  EXPECT_TRUE(served.report.notes.empty());
}

}  // namespace
}  // namespace penstock::serving
