#include "pipeline/heartbeat.h"

#include <gtest/gtest.h>

#include "session/fake_session.h"

namespace penstock::pipeline {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kNow = 1'000'000 * kMs;

TEST(RunHistory, KnowsTheTimeThatNearlyAllRunsKeepTo) {
  RunHistory history;
  EXPECT_EQ(history.Quantile999(), 0);
  for (int i = 0; i < 999; ++i) history.Record(5 * kMs);
  history.Record(400 * kMs);
  EXPECT_GE(history.Quantile999(), 5 * kMs);
  EXPECT_LE(history.Quantile999(), 5 * kMs * 9 / 8);
  history.Record(400 * kMs);
  EXPECT_GE(history.Quantile999(), 400 * kMs) << "more than one in a thousand now";
}

TEST(RunHistory, TakesTheLongestOfFewRuns) {
  RunHistory history;
  for (const int64_t ms : {5, 90, 7}) history.Record(ms * kMs);
  EXPECT_GE(history.Quantile999(), 90 * kMs);
  EXPECT_LE(history.Quantile999(), 90 * kMs * 9 / 8);
}

TEST(RunHistory, HoldsAnyTime) {
  for (const int64_t ns : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{8}, int64_t{9}, int64_t{1023}, int64_t{1} << 40, INT64_MAX}) {
    RunHistory history;
    history.Record(ns);
    EXPECT_GE(history.Quantile999(), ns);
    EXPECT_LE(history.Quantile999() / 9, ns / 8 + 1);
  }
}

class HeartbeatsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Heartbeat> Add(const std::string& gpu = "GPU-0", const std::string& model = "echo 1") {
    return heartbeats_.Add(model, gpu, history_);
  }
  // Looks as often as a watchdog does until `ms` after kNow.
  std::optional<HungRun> LookUntil(int64_t ms) {
    std::optional<HungRun> found;
    while (!found && looked_ms_ < ms) found = heartbeats_.Overdue(kNow + (looked_ms_ += 10) * kMs);
    return found;
  }

  Heartbeats heartbeats_{100 * kMs};
  std::shared_ptr<RunHistory> history_ = std::make_shared<RunHistory>();
  int64_t looked_ms_ = 0;
};

TEST_F(HeartbeatsTest, ARunIsHungBeyondTheLimitAndOverdueBeyondThreeTimesThat) {
  const auto heartbeat = Add();
  heartbeat->Begin(kNow);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 100 * kMs).hung_ms, 0);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 101 * kMs).hung_ms, 101);
  EXPECT_EQ(heartbeats_.activity("GPU-1", kNow + 101 * kMs).hung_ms, 0) << "another GPU";
  EXPECT_FALSE(LookUntil(300));
  const auto overdue = LookUntil(310);
  ASSERT_TRUE(overdue);
  EXPECT_EQ(overdue->model, "echo 1");
  EXPECT_EQ(overdue->gpu, "GPU-0");
  EXPECT_EQ(overdue->running_ms, 310);
  EXPECT_EQ(overdue->allowed_ms, 100);
  heartbeat->End(kNow + 311 * kMs, true);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 400 * kMs).hung_ms, 0) << "it has come back";
  EXPECT_FALSE(LookUntil(400));
}

TEST_F(HeartbeatsTest, AModelThatAlwaysTakesLongIsAllowedTenTimesAsLong) {
  history_->Record(50 * kMs);
  const auto heartbeat = Add();
  heartbeat->Begin(kNow);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 499 * kMs).hung_ms, 0);
  EXPECT_GE(heartbeats_.activity("GPU-0", kNow + 570 * kMs).hung_ms, 570);
  EXPECT_FALSE(LookUntil(1499));
  EXPECT_TRUE(LookUntil(1700));
}

TEST_F(HeartbeatsTest, ARunThatIsNotTimedIsNeverHungAndNotNoted) {
  const auto heartbeat = Add();
  heartbeat->Begin(kUntimed);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 3600'000 * kMs).hung_ms, 0);
  EXPECT_FALSE(LookUntil(1000));
  heartbeat->End(kNow, true);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow).last_batch_age_ms, -1);
  EXPECT_EQ(history_->Quantile999(), 0);
}

TEST_F(HeartbeatsTest, ARunThatIsNotTimedIsCompanyToOneThatBreaksTheContext) {
  const auto loading = Add("GPU-0", "new 1");
  const auto heartbeat = Add();
  loading->Begin(kUntimed);
  heartbeat->Begin(kNow);
  heartbeat->Broke();
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow).suspect, "");
}

TEST_F(HeartbeatsTest, NotesTheLastSuccessOfEachGpu) {
  const auto first = Add();
  const auto second = Add("GPU-1");
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow).last_batch_age_ms, -1);
  first->Begin(kNow);
  first->End(kNow + 5 * kMs, true);
  second->Begin(kNow);
  second->End(kNow + 5 * kMs, false);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 25 * kMs).last_batch_age_ms, 20);
  EXPECT_EQ(heartbeats_.activity("GPU-1", kNow + 25 * kMs).last_batch_age_ms, -1) << "a failure is none";
  EXPECT_EQ(heartbeats_.activity("GPU-9", kNow).last_batch_age_ms, -1) << "nobody has heard of it";
  EXPECT_LE(history_->Quantile999(), 6 * kMs);
}

TEST_F(HeartbeatsTest, ReportsTheOldestRunAndForgetsThreadsThatAreGone) {
  auto old = Add();
  const auto young = Add();
  old->Begin(kNow);
  young->Begin(kNow + 100 * kMs);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 250 * kMs).hung_ms, 250);
  old.reset();
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 250 * kMs).hung_ms, 150);
}

TEST_F(HeartbeatsTest, AProcessThatWasStoppedBlamesNoRun) {
  const auto heartbeat = Add();
  heartbeat->Begin(kNow);
  EXPECT_FALSE(LookUntil(20));
  looked_ms_ = 10'000;
  EXPECT_FALSE(LookUntil(10'010));
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 10'020 * kMs).hung_ms, 0);
  EXPECT_FALSE(LookUntil(10'310));
  EXPECT_TRUE(LookUntil(10'330)) << "counted from then on";
}

TEST_F(HeartbeatsTest, SuspectsTheModelWhoseHungRunIsOldest) {
  const auto young = Add("GPU-0", "late 1");
  const auto old = Add("GPU-0", "early 1");
  const auto other = Add("GPU-0", "last 1");
  old->Begin(kNow);
  young->Begin(kNow + 50 * kMs);
  other->Begin(kNow + 60 * kMs);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 100 * kMs).suspect, "");
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 200 * kMs).suspect, "early 1");
  old->End(kNow + 200 * kMs, false);
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow + 200 * kMs).suspect, "late 1");
}

TEST_F(HeartbeatsTest, SuspectsTheModelThatRanAloneWhenTheContextBroke) {
  const auto bad = Add("GPU-0", "bad 1");
  const auto twin = Add("GPU-0", "bad 1");
  const auto elsewhere = Add("GPU-1", "good 1");
  const auto next = Add("GPU-0", "good 1");
  elsewhere->Begin(kNow);
  twin->Begin(kNow);
  bad->Begin(kNow);
  bad->Broke();
  bad->End(kNow + 1, false);
  next->Begin(kNow + 2);
  next->Broke();
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow).suspect, "bad 1") << "later ones only meet what is broken already";
  EXPECT_EQ(heartbeats_.activity("GPU-1", kNow).suspect, "");
}

TEST_F(HeartbeatsTest, SuspectsNobodyWhereTwoModelsRanWhenTheContextBroke) {
  const auto one = Add("GPU-0", "one 1");
  const auto two = Add("GPU-0", "two 1");
  one->Begin(kNow);
  two->Begin(kNow);
  one->Broke();
  one->End(kNow + 1, false);
  two->Broke();
  EXPECT_EQ(heartbeats_.activity("GPU-0", kNow).suspect, "");
}

TEST_F(HeartbeatsTest, NothingIsHungWithoutALimit) {
  Heartbeats off(0);
  const auto heartbeat = off.Add("echo 1", "GPU-0", history_);
  heartbeat->Begin(kNow);
  EXPECT_EQ(off.activity("GPU-0", kNow + 3600'000 * kMs).hung_ms, 0);
  EXPECT_FALSE(off.Overdue(kNow + 3600'000 * kMs));
}

TEST(GpuOf, IsWhatTheControlSaysOrTheOnlyOne) {
  const auto session = session::FakeSession::WithOneInput();
  session->RunOnGpus({"GPU-0", "GPU-1"});
  const auto first = session->NewRunControl();
  const auto second = session->NewRunControl();
  EXPECT_EQ(GpuOf(*session, *first), "GPU-0");
  EXPECT_EQ(GpuOf(*session, *second), "GPU-1");
  const auto plain = session::FakeSession::WithOneInput()->NewRunControl();
  EXPECT_EQ(GpuOf(*session, *plain), "GPU-0");
}

}  // namespace
}  // namespace penstock::pipeline
