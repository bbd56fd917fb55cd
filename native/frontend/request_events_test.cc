#include "frontend/request_events.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace penstock::frontend {
namespace {

void AddEnded(const std::string& path, RequestEvents* events) { events->Ended({"POST", path, ""}, {"200", 0, 0, 0}); }

TEST(RequestEvents, WakesOnceForAllThatWaitAndAgainAfterTheyAreTaken) {
  int woken = 0;
  RequestEvents events(true, false, [&] { ++woken; });
  AddEnded("/a", &events);
  AddEnded("/b", &events);
  EXPECT_EQ(woken, 1);
  uint64_t lost = 7;
  const std::vector<RequestEvent> taken = events.Take(&lost);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[0].path, "/a");
  EXPECT_EQ(taken[1].path, "/b");
  EXPECT_EQ(lost, 0u);
  EXPECT_TRUE(events.Take(&lost).empty());
  AddEnded("/c", &events);
  EXPECT_EQ(woken, 2);
}

TEST(RequestEvents, CountsAndLosesWhatDoesNotFit) {
  RequestEvents events(true, false, [] {});
  for (size_t i = 0; i < RequestEvents::kMostWaiting + 3; ++i) AddEnded("/a", &events);
  uint64_t lost = 0;
  EXPECT_EQ(events.Take(&lost).size(), RequestEvents::kMostWaiting);
  EXPECT_EQ(lost, 3u);
  AddEnded("/b", &events);
  EXPECT_EQ(events.Take(&lost).size(), 1u);
  EXPECT_EQ(lost, 0u);
}

TEST(RequestEvents, GivesTheOldestFirstAndSaysWhetherMoreWait) {
  int woken = 0;
  RequestEvents events(true, false, [&] { ++woken; });
  for (const char* path : {"/a", "/b", "/c"}) AddEnded(path, &events);
  uint64_t lost = 0;
  const std::vector<RequestEvent> taken = events.Take(&lost, 2);
  ASSERT_EQ(taken.size(), 2u);
  EXPECT_EQ(taken[1].path, "/b");
  EXPECT_TRUE(events.HasWaiting());
  AddEnded("/d", &events);
  EXPECT_EQ(woken, 1);  // "/c" waited
  EXPECT_EQ(events.Take(&lost, 2).size(), 2u);
  EXPECT_FALSE(events.HasWaiting());
}

TEST(RequestEvents, KeepsNothingThatTheLogDoesNotWant) {
  RequestEvents events(false, false, [] {});
  AddEnded("/a", &events);
  events.Failed({"POST", "/b", ""}, Status(StatusCode::kRequestField, "theirs"), false);
  EXPECT_FALSE(events.HasWaiting());
  events.Failed({"POST", "/c", ""}, Status(StatusCode::kInternal, "ours"), true);
  EXPECT_TRUE(events.HasWaiting());
}

TEST(RequestEvents, CutsLongTextsBetweenTwoCharacters) {
  RequestEvents events(true, true, [] {});
  const std::string path = "/" + std::string(16'000, 'a');
  const std::string request_id(RequestEvents::kMostTextBytes, 'b');
  std::string message;
  // Three bytes each, so that the limit falls within one.
  for (int i = 0; i < 1000; ++i) message += "\u20ac";
  events.Failed({"POST", path, request_id}, Status(StatusCode::kInternal, message), true);
  uint64_t lost = 0;
  const std::vector<RequestEvent> taken = events.Take(&lost, 1);
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].path, "/" + std::string(RequestEvents::kMostTextBytes - 4, 'a') + "...");
  EXPECT_EQ(taken[0].request_id, std::string(RequestEvents::kMostTextBytes, 'b'));
  EXPECT_EQ(taken[0].message.size(), 1023u);
  EXPECT_EQ(taken[0].message.substr(1017), "\u20ac...");
}

TEST(RequestEvents, TakesFromManyThreadsAndLosesNoWakeUp) {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 2000;
  std::atomic<size_t> woken{0};
  RequestEvents events(true, true, [&] { ++woken; });
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (size_t k = 0; k < kEach; ++k) AddEnded("/a", &events);
    });
  }
  size_t taken = 0;
  size_t seen = 0;
  while (taken < kThreads * kEach) {
    // Only after a wake-up: one that gets lost ends the test by its time limit.
    while (woken == seen) std::this_thread::yield();
    seen = woken;
    uint64_t lost = 0;
    taken += events.Take(&lost).size();
    EXPECT_EQ(lost, 0u);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, kThreads * kEach);
}

}  // namespace
}  // namespace penstock::frontend
