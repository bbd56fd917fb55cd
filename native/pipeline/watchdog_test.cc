#include "pipeline/watchdog.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <future>
#include <thread>

#include "base/clock.h"
#include "pipeline/pipeline_fixture.h"

namespace penstock::pipeline {
namespace {

using std::chrono::milliseconds;

class WatchdogTest : public PipelineTest {
 protected:
  void StartWatched(int64_t limit_ms, std::vector<RunSample> warm_up = {}) {
    session_->RunOnGpus({"GPU-0"});
    WatchdogOptions options;
    options.limit_ms = limit_ms;
    options.before_abort = [this](const HungRun& run) { hung_ = run; };
    options.abort = [this] { aborted_.set_value(); };
    watchdog_ = std::make_shared<Watchdog>(options);
    PipelineOptions pipeline = Merging(8);
    pipeline.model = "echo version 1";
    pipeline.watchdog = watchdog_;
    pipeline.run_samples = std::move(warm_up);
    Start(pipeline);
  }
  GpuActivity activity() const { return watchdog_->activity("GPU-0"); }

  HungRun hung_;
  std::promise<void> aborted_;
  std::shared_ptr<Watchdog> watchdog_;
};

TEST_F(WatchdogTest, SaysWhichModelHangsAndThenAborts) {
  StartWatched(20);
  session_->ShutGate();
  Submit(1);
  ASSERT_EQ(aborted_.get_future().wait_for(milliseconds(10'000)), std::future_status::ready);
  EXPECT_EQ(hung_.model, "echo version 1");
  EXPECT_EQ(hung_.gpu, "GPU-0");
  EXPECT_EQ(hung_.allowed_ms, 20);
  EXPECT_GE(hung_.running_ms, 60);
  EXPECT_GE(activity().hung_ms, 60);
  session_->OpenGate();
  sink_->WaitFor(1);
  EXPECT_EQ(activity().hung_ms, 0) << "cleared before anybody has the answer";
}

TEST_F(WatchdogTest, LeavesALaneAloneThatHasNothingToDo) {
  StartWatched(20);
  Submit(1);
  sink_->WaitFor(1);
  EXPECT_EQ(aborted_.get_future().wait_for(milliseconds(150)), std::future_status::timeout);
  EXPECT_EQ(activity().hung_ms, 0);
  EXPECT_GE(activity().last_batch_age_ms, 100);
}

TEST_F(WatchdogTest, AllowsTheFirstRunTheTimeThatTheWarmUpTook) {
  StartWatched(20, {{1, 1, 1'000'000'000}});
  session_->ShutGate();
  Submit(1);
  EXPECT_EQ(aborted_.get_future().wait_for(milliseconds(200)), std::future_status::timeout);
  EXPECT_EQ(activity().hung_ms, 0);
  session_->OpenGate();
}

TEST_F(WatchdogTest, OnlyNotesSuccessesWhenItIsOff) {
  StartWatched(0);
  EXPECT_EQ(activity().last_batch_age_ms, -1);
  Submit(1);
  sink_->WaitFor(1);
  EXPECT_GE(activity().last_batch_age_ms, 0);
  session_->ShutGate();
  Submit(2);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(activity().hung_ms, 0);
  session_->OpenGate();
}

TEST_F(WatchdogTest, ARunThatThrowsHasEnded) {
  StartWatched(20);
  session_->ThrowBadAlloc(true);
  Submit(1);
  EXPECT_EQ(sink_->Take(1).status.code(), StatusCode::kMemory);
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(activity().hung_ms, 0);
  EXPECT_EQ(activity().last_batch_age_ms, -1);
}

TEST_F(WatchdogTest, WatchesTheLanesOfEachGpuApart) {
  session_->RunOnGpus({"GPU-0", "GPU-1"});
  watchdog_ = std::make_shared<Watchdog>(WatchdogOptions{});
  PipelineOptions options = Merging(1, 2);
  options.watchdog = watchdog_;
  session_->ShutGate();
  Start(options);
  Submit(1);
  Submit(2);
  session_->WaitForStarted(2);
  session_->OpenGate();
  sink_->WaitFor(2);
  for (const char* gpu : {"GPU-0", "GPU-1"}) EXPECT_GE(watchdog_->activity(gpu).last_batch_age_ms, 0) << gpu;
}

TEST(Watchdog, AbortsAlsoWhereNobodyCanBeTold) {
  std::promise<void> aborted;
  const auto release = std::make_shared<std::promise<void>>();
  WatchdogOptions options;
  options.limit_ms = 20;
  options.before_abort = [ready = release->get_future().share()](const HungRun&) { ready.wait(); };
  options.abort = [&aborted] { aborted.set_value(); };
  Watchdog watchdog(options);
  const auto heartbeat = watchdog.Watch("echo version 1", "GPU-0", std::make_shared<RunHistory>());
  heartbeat->Begin(MonotonicNs());
  EXPECT_EQ(aborted.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  release->set_value();
}

TEST(WatchdogDeathTest, EndsTheProcessBySignalAfterItHasSaidWhy) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto hang = [] {
    WatchdogOptions options;
    options.limit_ms = 20;
    options.before_abort = [](const HungRun& run) { std::fprintf(stderr, "%s hangs on %s\n", run.model.c_str(), run.gpu.c_str()); };
    Watchdog watchdog(options);
    const auto heartbeat = watchdog.Watch("echo version 1", "GPU-0", std::make_shared<RunHistory>());
    heartbeat->Begin(MonotonicNs());
    std::this_thread::sleep_for(std::chrono::seconds(30));
  };
  EXPECT_EXIT(hang(), ::testing::KilledBySignal(SIGABRT), "echo version 1 hangs on GPU-0");
}

}  // namespace
}  // namespace penstock::pipeline
