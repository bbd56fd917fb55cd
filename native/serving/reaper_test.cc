#include "serving/reaper.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace penstock::serving {
namespace {

struct Victim {
  explicit Victim(std::atomic<int>* deaths, std::thread::id* where) : deaths_(deaths), where_(where) {}
  ~Victim() {
    *where_ = std::this_thread::get_id();
    ++*deaths_;
  }
  std::atomic<int>* deaths_;
  std::thread::id* where_;
};

TEST(Reaper, DestroysOnItsOwnThreadWhenTheLastReferenceGoes) {
  std::atomic<int> deaths{0};
  std::thread::id where;
  Reaper reaper;
  auto adopted = reaper.Adopt(std::make_shared<Victim>(&deaths, &where));
  auto copy = adopted;
  adopted.reset();
  reaper.Flush();
  EXPECT_EQ(deaths, 0);
  copy.reset();
  reaper.Flush();
  EXPECT_EQ(deaths, 1);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(Reaper, FlushWaitsForVictimsThatVictimsBring) {
  std::atomic<int> deaths{0};
  std::thread::id where;
  Reaper reaper;
  struct Outer {
    std::shared_ptr<Victim> inner;
  };
  auto outer = std::make_shared<Outer>();
  outer->inner = reaper.Adopt(std::make_shared<Victim>(&deaths, &where));
  auto adopted = reaper.Adopt(std::move(outer));
  adopted.reset();
  reaper.Flush();
  EXPECT_EQ(deaths, 1);
}

// Found by ThreadSanitizer: a lane dropped the last reference while its reaper was being destroyed.
TEST(Reaper, EndsOnlyWhenWhatItAdoptedHasBeenDroppedAndDestroyed) {
  std::atomic<int> deaths{0};
  std::thread::id where;
  std::thread lane;
  {
    Reaper reaper;
    lane = std::thread([adopted = reaper.Adopt(std::make_shared<Victim>(&deaths, &where))]() mutable {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      adopted.reset();
    });
  }
  EXPECT_EQ(deaths, 1);
  lane.join();
}

TEST(Reaper, FinishesEverythingBeforeItEnds) {
  std::atomic<int> deaths{0};
  std::thread::id where;
  {
    Reaper reaper;
    for (int i = 0; i < 50; ++i) reaper.Adopt(std::make_shared<Victim>(&deaths, &where)).reset();
  }
  EXPECT_EQ(deaths, 50);
}

}  // namespace
}  // namespace penstock::serving
