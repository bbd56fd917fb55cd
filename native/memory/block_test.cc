#include "memory/block.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

namespace penstock::memory {
namespace {

TEST(BlockPool, BlocksAreAlignedAndWritableToTheLastByte) {
  BlockPool pool;
  for (const uint64_t bytes : {0, 1, 63, 64, 65, 4097}) {
    auto block = pool.Allocate(bytes);
    ASSERT_TRUE(block.ok());
    EXPECT_EQ(block.value()->size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.value()->data()) % BlockPool::kAlignment, 0u);
    std::memset(block.value()->data(), 0xAB, bytes);
  }
}

TEST(BlockPool, CountsExactlyWhatIsAlive) {
  BlockPool pool;
  auto first = pool.Allocate(100).value();
  auto second = pool.Allocate(1).value();
  EXPECT_EQ(pool.live_bytes(), 101u);
  EXPECT_EQ(pool.live_blocks(), 2u);
  Slice slice = WholeSlice(std::move(first)).Sub(10, 5);
  EXPECT_EQ(pool.live_bytes(), 101u) << "a range of a block keeps all of it";
  slice = Slice{};
  second.reset();
  EXPECT_EQ(pool.live_bytes(), 0u);
  EXPECT_EQ(pool.live_blocks(), 0u);
}

TEST(BlockPool, RefusesWhatPassesTheLimitAndCountsNothing) {
  BlockPool pool(100);
  auto held = pool.Allocate(60);
  ASSERT_TRUE(held.ok());
  const auto refused = pool.Allocate(41);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kMemory);
  EXPECT_NE(refused.status().message().find("41 bytes"), std::string::npos);
  EXPECT_EQ(pool.live_bytes(), 60u);
  EXPECT_TRUE(pool.Allocate(40).ok()) << "exactly up to the limit";
}

TEST(BlockPool, RefusesSizesThatOverflowOrThatNoObjectCanHave) {
  BlockPool pool;
  EXPECT_EQ(pool.Allocate(UINT64_MAX).status().code(), StatusCode::kMemory);
  EXPECT_EQ(pool.Allocate(UINT64_MAX - 64).status().code(), StatusCode::kMemory);
  EXPECT_EQ(pool.Allocate(uint64_t{PTRDIFF_MAX} + 1).status().code(), StatusCode::kMemory);
  EXPECT_EQ(pool.live_bytes(), 0u);
  EXPECT_EQ(pool.live_blocks(), 0u);
}

// Found in review: bytes of a refused giant were counted for a moment, and blocks that fit were refused meanwhile.
TEST(BlockPool, ARefusedGiantNeverCrowdsOutABlockThatFits) {
  BlockPool pool(1 << 20);
  std::atomic<bool> stop{false};
  std::thread giant([&] {
    while (!stop) EXPECT_FALSE(pool.Allocate(1 << 21).ok());
  });
  for (int i = 0; i < 50000; ++i) ASSERT_TRUE(pool.Allocate(64).ok());
  stop = true;
  giant.join();
}

TEST(BlockPool, StaysExactUnderManyThreadsAndNeverPassesItsLimit) {
  constexpr uint64_t kLimit = 10000;
  BlockPool pool(kLimit);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::shared_ptr<Block>> held;
      for (uint64_t i = 0; i < 5000; ++i) {
        auto block = pool.Allocate((i * 37 + static_cast<uint64_t>(t)) % 900);
        EXPECT_LE(pool.live_bytes(), kLimit);
        if (block.ok()) held.push_back(std::move(block).value());
        if (held.size() > 4) held.erase(held.begin());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.live_bytes(), 0u);
  EXPECT_EQ(pool.live_blocks(), 0u);
}

}  // namespace
}  // namespace penstock::memory
