#include "frontend/hand_off.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "transport/test_peers.h"

namespace penstock::frontend {
namespace {

using transport::FileDescriptor;
using transport::KeepingTaker;

std::vector<FileDescriptor> ConnectSome(HandOff& hand_off, size_t count) {
  std::vector<FileDescriptor> connections;
  for (size_t i = 0; i < count; ++i) {
    auto connected = hand_off.Connect();
    EXPECT_TRUE(connected.ok()) << connected.status().message();
    if (connected.ok()) connections.push_back(std::move(connected).value());
  }
  return connections;
}

TEST(HandOffTest, ConnectsBothSidesWithSocketsThatDoNotBlock) {
  HandOff hand_off(1000);
  const auto taker = std::make_shared<KeepingTaker>();
  hand_off.Attach(taker, 0);
  const auto ours = ConnectSome(hand_off, 1);
  ASSERT_EQ(taker->size(), 1u);
  for (const int fd : {ours[0].get(), taker->last()}) {
    EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  char byte = 0;
  ASSERT_EQ(send(ours[0].get(), "u", 1, 0), 1);
  ASSERT_EQ(recv(taker->last(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'u');
  ASSERT_EQ(send(taker->last(), "d", 1, 0), 1);
  ASSERT_EQ(recv(ours[0].get(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'd');
  taker->DropOne();
  EXPECT_TRUE(transport::IsClosed(ours[0]));
}

TEST(HandOffTest, GivesTheNextConnectionToTheTakerThatHasFewestAndAlternatesBetweenEquals) {
  HandOff hand_off(1000);
  const auto first = std::make_shared<KeepingTaker>();
  const auto second = std::make_shared<KeepingTaker>();
  hand_off.Attach(first, 0);
  const uint64_t name = hand_off.Attach(second, 1);
  const auto connections = ConnectSome(hand_off, 6);
  EXPECT_EQ(first->size(), 3u);
  EXPECT_EQ(second->size(), 3u);
  for (int i = 0; i < 2; ++i) hand_off.Ended(name);
  const auto more = ConnectSome(hand_off, 2);
  EXPECT_EQ(first->size(), 3u);
  EXPECT_EQ(second->size(), 5u);

  // With one open at a time all have equally many whenever the next one comes.
  for (int i = 0; i < 4; ++i) {
    const auto brief = ConnectSome(hand_off, 1);
    EXPECT_EQ(first->size() + second->size(), 9u + static_cast<size_t>(i));
  }
  EXPECT_EQ(first->size(), 5u);
  EXPECT_EQ(second->size(), 7u);
}

TEST(HandOffTest, RefusesWhileNobodyTakes) {
  HandOff hand_off(1000);
  EXPECT_EQ(hand_off.Connect().status().code(), StatusCode::kServerExiting);
  const auto taker = std::make_shared<KeepingTaker>();
  const uint64_t name = hand_off.Attach(taker, 0);
  const auto connections = ConnectSome(hand_off, 1);
  hand_off.Detach(name);
  EXPECT_EQ(hand_off.Connect().status().code(), StatusCode::kServerExiting);
  EXPECT_EQ(taker.use_count(), 1) << "a taker that has left is let go";
  // Both may come late.
  hand_off.Ended(name);
  hand_off.Detach(name);
}

TEST(HandOffTest, RefusesBeyondItsLimitUntilTheOtherSideHasEndedOne) {
  HandOff hand_off(3);
  const auto first = std::make_shared<KeepingTaker>();
  const auto second = std::make_shared<KeepingTaker>();
  const uint64_t name = hand_off.Attach(first, 0);
  hand_off.Attach(second, 1);
  auto connections = ConnectSome(hand_off, 3);
  EXPECT_EQ(hand_off.Connect().status().code(), StatusCode::kInFlightFull);
  // That we have closed our ends does not mean that they have noticed.
  connections.clear();
  EXPECT_EQ(hand_off.Connect().status().code(), StatusCode::kInFlightFull);
  hand_off.Ended(name);
  EXPECT_EQ(ConnectSome(hand_off, 1).size(), 1u);
  EXPECT_EQ(hand_off.Connect().status().code(), StatusCode::kInFlightFull);
  // Those of a taker that has left do not count any more, nor when it says that they have ended.
  hand_off.Detach(name);
  hand_off.Ended(name);
  EXPECT_EQ(ConnectSome(hand_off, 1).size(), 1u);
  EXPECT_EQ(hand_off.Connect().status().code(), StatusCode::kInFlightFull);
}

TEST(HandOffTest, SaysOnceASecondThatTheSystemHasNoDescriptorLeft) {
  HandOff hand_off(1000);
  const auto taker = std::make_shared<KeepingTaker>();
  hand_off.Attach(taker, 0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit tight{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  const int64_t start_ns = MonotonicNs();
  const auto refused = hand_off.Connect();
  const auto again = hand_off.Connect();
  const bool is_same_second = MonotonicNs() - start_ns < kNsPerSecond;
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto later = hand_off.Connect();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInternal);
  EXPECT_EQ(later.status().code(), StatusCode::kInternal);
  // No fault that every caller would log.
  if (is_same_second) {
    EXPECT_EQ(again.status().code(), StatusCode::kInFlightFull);
  }
  EXPECT_EQ(taker->size(), 0u);
  EXPECT_TRUE(hand_off.Connect().ok());
}

TEST(HandOffStressTest, HandsEveryConnectionToSomebodyWhoIsThere) {
  HandOff hand_off(1000);
  const auto staying = std::make_shared<KeepingTaker>();
  hand_off.Attach(staying, 0);
  std::atomic<bool> done{false};
  std::atomic<size_t> taken_by_others{0};
  std::thread coming_and_going([&] {
    while (!done) {
      const auto taker = std::make_shared<KeepingTaker>();
      const uint64_t name = hand_off.Attach(taker, 1);
      std::this_thread::yield();
      hand_off.Ended(name);
      hand_off.Detach(name);
      taken_by_others += taker->size();
    }
  });
  std::vector<std::thread> connecting;
  for (int i = 0; i < 2; ++i) connecting.emplace_back([&] { ConnectSome(hand_off, 100); });
  for (std::thread& thread : connecting) thread.join();
  done = true;
  coming_and_going.join();
  EXPECT_EQ(staying->size() + taken_by_others, 200u);
}

}  // namespace
}  // namespace penstock::frontend
