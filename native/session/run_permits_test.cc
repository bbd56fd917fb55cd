#include "session/run_permits.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace penstock::session {
namespace {

// A thread that takes a permit when it is its turn, and gives it back when it is told to.
class Lane {
 public:
  explicit Lane(RunPermits* permits) : permits_(*permits), thread_([this] { Run(); }) {}
  ~Lane() {
    Stop();
    give_back_ = true;
    thread_.join();
  }

  void Stop() {
    stopped_ = true;
    permits_.Wake();
  }
  // Blocks until the permit was had and given back, or was not had.
  bool GiveBack() {
    give_back_ = true;
    while (!done_) std::this_thread::yield();
    return ran_;
  }
  bool runs() const { return running_; }

 private:
  void Run() {
    ran_ = permits_.Acquire(stopped_);
    running_ = ran_.load();
    while (ran_ && !give_back_) std::this_thread::yield();
    running_ = false;
    if (ran_) permits_.Release();
    done_ = true;
  }

  RunPermits& permits_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> give_back_{false};
  std::atomic<bool> ran_{false};
  std::atomic<bool> running_{false};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

void UntilWaiting(const RunPermits& permits, int count) {
  while (permits.waiting() != count) std::this_thread::yield();
}

// Holds the only permit, with `count` lanes behind it that came one after the other.
std::vector<std::unique_ptr<Lane>> Line(RunPermits* permits, int count) {
  std::vector<std::unique_ptr<Lane>> lanes;
  for (int i = 0; i < count; ++i) {
    lanes.push_back(std::make_unique<Lane>(permits));
    UntilWaiting(*permits, i + 1);
  }
  return lanes;
}

const std::atomic<bool> kGoOn{false};

TEST(RunPermits, GivesEachLaneItsTurnInTheOrderInWhichTheyCame) {
  RunPermits permits(1);
  ASSERT_TRUE(permits.Acquire(kGoOn));
  const auto lanes = Line(&permits, 6);
  permits.Release();
  for (size_t i = 0; i < lanes.size(); ++i) {
    while (!lanes[i]->runs()) std::this_thread::yield();
    for (size_t j = i + 1; j < lanes.size(); ++j) EXPECT_FALSE(lanes[j]->runs()) << j << " before " << i;
    EXPECT_TRUE(lanes[i]->GiveBack());
  }
}

TEST(RunPermits, NobodyOvertakesWhoeverWaits) {
  RunPermits permits(1);
  ASSERT_TRUE(permits.Acquire(kGoOn));
  const auto first = Line(&permits, 1);
  permits.Release();
  // Comes while the first may not have woken up yet.
  Lane late(&permits);
  UntilWaiting(permits, 1);
  EXPECT_TRUE(first[0]->GiveBack());
  EXPECT_TRUE(late.GiveBack());
}

TEST(RunPermits, LetsAsManyRunAsThereArePermits) {
  RunPermits permits(2);
  Lane one(&permits);
  Lane two(&permits);
  while (!one.runs() || !two.runs()) std::this_thread::yield();
  Lane three(&permits);
  UntilWaiting(permits, 1);
  EXPECT_TRUE(two.GiveBack());
  EXPECT_TRUE(three.GiveBack());
  EXPECT_TRUE(one.GiveBack());
}

TEST(RunPermits, LessThanOneCountsAsOne) {
  RunPermits permits(0);
  ASSERT_TRUE(permits.Acquire(kGoOn));
  permits.Release();
}

TEST(RunPermits, WhoeverIsStoppedLeavesTheLineAndTheOthersKeepTheirOrder) {
  RunPermits permits(1);
  ASSERT_TRUE(permits.Acquire(kGoOn));
  const auto lanes = Line(&permits, 4);
  lanes[0]->Stop();
  lanes[2]->Stop();
  lanes[3]->Stop();
  for (const size_t i : {0, 2, 3}) EXPECT_FALSE(lanes[i]->GiveBack());
  EXPECT_EQ(permits.waiting(), 1);
  permits.Release();
  EXPECT_TRUE(lanes[1]->GiveBack());
  EXPECT_TRUE(permits.Acquire(kGoOn)) << "the permit has come back";
  permits.Release();
}

TEST(RunPermits, WhoeverIsStoppedTakesNothing) {
  const std::atomic<bool> stopped{true};
  RunPermits permits(1);
  EXPECT_FALSE(permits.Acquire(stopped));
  EXPECT_TRUE(permits.Acquire(kGoOn));
  permits.Release();
}

// Under ThreadSanitizer this shows that grants, stops and departures that meet lose no permit and give none twice.
TEST(RunPermits, LosesNoPermitWhenStopsAndTurnsMeet) {
  constexpr int kLanes = 6;
  constexpr int kTurns = 300;
  RunPermits permits(2);
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::vector<std::atomic<bool>> stopped(kLanes);
  std::atomic<int> finished{0};
  std::vector<std::thread> lanes;
  for (int i = 0; i < kLanes; ++i) {
    lanes.emplace_back([&, i] {
      for (int turn = 0; turn < kTurns; ++turn) {
        if (!permits.Acquire(stopped[static_cast<size_t>(i)])) {
          stopped[static_cast<size_t>(i)] = false;
          continue;
        }
        const int now = ++running;
        int before = most.load();
        while (now > before && !most.compare_exchange_weak(before, now)) {
        }
        std::this_thread::yield();
        --running;
        permits.Release();
      }
      ++finished;
    });
  }
  for (size_t i = 0; finished != kLanes; i = (i + 1) % kLanes) {
    stopped[i] = true;
    permits.Wake();
    std::this_thread::yield();
  }
  for (std::thread& lane : lanes) lane.join();
  EXPECT_LE(most.load(), 2);
  EXPECT_EQ(permits.waiting(), 0);
  ASSERT_TRUE(permits.Acquire(kGoOn) && permits.Acquire(kGoOn)) << "both have come back";
  permits.Release();
  permits.Release();
}

}  // namespace
}  // namespace penstock::session
