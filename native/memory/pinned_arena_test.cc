#include "memory/pinned_arena.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace penstock::memory {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;

class FakeLocker : public PageLocker {
 public:
  void* Lock(size_t bytes) override {
    ++asked;
    if (refuses) return nullptr;
    void* const pages = std::aligned_alloc(4096, bytes);
    const std::lock_guard<std::mutex> lock(mutex_);
    locked_[pages] = bytes;
    return pages;
  }
  void Unlock(void* pages, size_t bytes) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    EXPECT_EQ(locked_.at(pages), bytes);
    locked_.erase(pages);
    std::free(pages);
  }
  uint64_t DeviceAddress(void* pages) override { return maps ? reinterpret_cast<uint64_t>(pages) + kDeviceOffset : 0; }
  uint64_t locked_bytes() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    uint64_t sum = 0;
    for (const auto& [pages, bytes] : locked_) sum += bytes;
    return sum;
  }
  static constexpr uint64_t kDeviceOffset = uint64_t{1} << 60;
  std::atomic<bool> refuses{false};
  std::atomic<bool> maps{true};
  std::atomic<int> asked{0};

 private:
  mutable std::mutex mutex_;
  std::map<void*, size_t> locked_;
};

class PinnedArenaTest : public ::testing::Test {
 protected:
  void Start(uint64_t limit_bytes, uint64_t slab_bytes) { arena_ = PinnedArena::Create(locker_, {limit_bytes, slab_bytes}); }
  std::shared_ptr<Block> Take(uint64_t bytes) { return arena_->Allocate(bytes).value(); }

  std::shared_ptr<FakeLocker> locker_ = std::make_shared<FakeLocker>();
  std::shared_ptr<PinnedArena> arena_;
};

TEST_F(PinnedArenaTest, CutsAlignedBlocksThatDoNotOverlapOutOfOneSlab) {
  Start(kMiB, kMiB);
  std::vector<std::shared_ptr<Block>> blocks;
  for (const uint64_t bytes : {1u, 100u, 5000u, 70000u, 0u}) blocks.push_back(Take(bytes));
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i]->kind(), MemoryKind::kPinned);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks[i]->data()) % BlockPool::kAlignment, 0u);
    std::memset(blocks[i]->data(), static_cast<int>(i + 1), blocks[i]->size());
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    for (size_t at = 0; at < blocks[i]->size(); ++at) ASSERT_EQ(blocks[i]->data()[at], i + 1);
  }
  EXPECT_EQ(locker_->asked, 1);
  EXPECT_EQ(arena_->use().slab_bytes, kMiB);
  EXPECT_EQ(arena_->use().live_bytes, 75101u);
  EXPECT_EQ(arena_->use().live_blocks, 5u);
  EXPECT_EQ(WholeSlice(blocks[2]).kind, MemoryKind::kPinned);
}

TEST_F(PinnedArenaTest, JoinsWhatIsGivenBackInWhateverOrder) {
  Start(kMiB, kMiB);
  const std::vector<std::vector<size_t>> orders = {{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 2, 1, 3}, {1, 3, 0, 2}};
  for (const auto& order : orders) {
    std::vector<std::shared_ptr<Block>> quarters;
    for (int i = 0; i < 4; ++i) quarters.push_back(Take(kMiB / 4));
    for (const size_t i : order) quarters[i].reset();
    EXPECT_EQ(Take(kMiB)->kind(), MemoryKind::kPinned) << "the whole slab is one hole again";
  }
  EXPECT_EQ(arena_->use().live_bytes, 0u);
  EXPECT_EQ(arena_->use().fallback_blocks, 0u);
  EXPECT_EQ(locker_->asked, 1) << "an empty slab is kept";
}

TEST_F(PinnedArenaTest, PrefersTheSmallestHoleThatIsLargeEnough) {
  Start(kMiB, kMiB);
  auto large = Take(512 * kKiB);
  const auto wall = Take(kKiB);
  auto small = Take(64 * kKiB);
  const auto rest = Take(256 * kKiB);
  const uint8_t* const hole = small->data();
  large.reset();
  small.reset();
  EXPECT_EQ(Take(60 * kKiB)->data(), hole);
}

TEST_F(PinnedArenaTest, GivesALargeBlockASlabOfItsOwn) {
  Start(4 * kMiB, 64 * kKiB);
  const auto small = Take(100);
  const auto large = Take(kMiB + 1);
  EXPECT_EQ(large->kind(), MemoryKind::kPinned);
  EXPECT_GE(arena_->use().slab_bytes, 64 * kKiB + kMiB + 1);
  EXPECT_EQ(arena_->use().slab_bytes, locker_->locked_bytes());
}

TEST_F(PinnedArenaTest, WhatDoesNotFitIsPageableAndCounted) {
  Start(128 * kKiB, 64 * kKiB);
  const auto first = Take(64 * kKiB);
  const auto second = Take(64 * kKiB);
  const auto third = Take(1000);
  EXPECT_EQ(third->kind(), MemoryKind::kPageable);
  EXPECT_EQ(third->size(), 1000u);
  EXPECT_EQ(Take(10 * kMiB)->kind(), MemoryKind::kPageable) << "larger than the limit";
  const PinnedUse use = arena_->use();
  EXPECT_EQ(use.limit_bytes, 128 * kKiB);
  EXPECT_EQ(use.slab_bytes, 128 * kKiB);
  EXPECT_EQ(use.live_bytes, 128 * kKiB);
  EXPECT_EQ(use.fallback_blocks, 2u);
  EXPECT_EQ(use.fallback_bytes, 1000 + 10 * kMiB);
}

TEST_F(PinnedArenaTest, UsesWhatIsLeftOfALimitThatIsNoMultipleOfSlabs) {
  Start(96 * kKiB, 64 * kKiB);
  const auto first = Take(64 * kKiB);
  EXPECT_EQ(Take(32 * kKiB)->kind(), MemoryKind::kPinned);
  EXPECT_EQ(arena_->use().slab_bytes, 96 * kKiB);
}

TEST_F(PinnedArenaTest, LocksNothingWithALimitOfZero) {
  Start(0, 64 * kKiB);
  EXPECT_EQ(Take(0)->kind(), MemoryKind::kPageable);
  EXPECT_EQ(Take(1)->kind(), MemoryKind::kPageable);
  EXPECT_EQ(locker_->asked, 0);
  EXPECT_EQ(arena_->use().fallback_blocks, 2u);
}

TEST_F(PinnedArenaTest, UnlocksEmptySlabsWhenALargerBlockNeedsTheirRoom) {
  Start(256 * kKiB, 64 * kKiB);
  std::vector<std::shared_ptr<Block>> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(Take(64 * kKiB));
  const auto kept = blocks[1];
  blocks.clear();
  EXPECT_EQ(locker_->locked_bytes(), 256 * kKiB);
  EXPECT_EQ(Take(224 * kKiB)->kind(), MemoryKind::kPageable) << "not even all empty ones would be enough";
  EXPECT_EQ(locker_->locked_bytes(), 256 * kKiB) << "so none has gone for it";
  EXPECT_EQ(Take(128 * kKiB)->kind(), MemoryKind::kPinned);
  EXPECT_LE(locker_->locked_bytes(), 256 * kKiB);
  EXPECT_EQ(arena_->use().slab_bytes, locker_->locked_bytes());
}

TEST_F(PinnedArenaTest, CountsNothingThatFailed) {
  Start(kMiB, kMiB);
  EXPECT_EQ(arena_->Allocate(UINT64_MAX).status().code(), StatusCode::kMemory);
  EXPECT_EQ(arena_->Allocate(uint64_t{1} << 63).status().code(), StatusCode::kMemory);
  locker_->refuses = true;
  EXPECT_EQ(Take(100)->kind(), MemoryKind::kPageable);
  BlockPool::Process().set_limit_bytes(BlockPool::Process().live_bytes() + 10);
  EXPECT_EQ(arena_->Allocate(100).status().code(), StatusCode::kMemory);
  BlockPool::Process().set_limit_bytes(0);
  const PinnedUse use = arena_->use();
  EXPECT_EQ(use.slab_bytes + use.live_bytes + use.live_blocks, 0u);
  EXPECT_EQ(use.fallback_blocks, 1u);
  EXPECT_EQ(use.fallback_bytes, 100u);
}

TEST_F(PinnedArenaTest, AsksAgainSomeTimeAfterARefusal) {
  Start(kMiB, kMiB);
  locker_->refuses = true;
  (void)Take(100);
  locker_->refuses = false;
  int tries = 0;
  while (Take(100)->kind() == MemoryKind::kPageable) ASSERT_LT(++tries, 10000);
  EXPECT_EQ(locker_->asked, 2) << "a refusal costs milliseconds: not each block pays for one";
}

TEST_F(PinnedArenaTest, BlocksOutliveEverythingAndAreGivenBackByAnyThread) {
  Start(kMiB, 64 * kKiB);
  std::vector<std::shared_ptr<Block>> blocks = {Take(1000), Take(100 * kKiB)};
  const std::weak_ptr<PinnedArena> arena = arena_;
  arena_.reset();
  EXPECT_FALSE(arena.expired());
  std::memset(blocks[1]->data(), 1, blocks[1]->size());
  std::thread([&blocks] { blocks.clear(); }).join();
  EXPECT_TRUE(arena.expired());
  EXPECT_EQ(locker_->locked_bytes(), 0u);
}

TEST_F(PinnedArenaTest, KeepsToItsBoundsUnderManyThreads) {
  const uint64_t pageable_before = BlockPool::Process().live_bytes();
  Start(512 * kKiB, 64 * kKiB);
  std::mutex handed_over_mutex;
  std::vector<std::shared_ptr<Block>> handed_over;  // dropped by whoever comes next
  std::atomic<uint64_t> taken{0};
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::shared_ptr<Block>> own;
    for (int i = 0; i < 2000; ++i) {
      const uint64_t bytes = 1 + random() % (i % 50 == 0 ? 200 * kKiB : 8 * kKiB);
      std::shared_ptr<Block> block = arena_->Allocate(bytes).value();
      ++taken;
      std::memset(block->data(), static_cast<int>(seed), bytes);
      own.push_back(std::move(block));
      for (size_t drop = 0; drop < 2 && own.size() > 8; ++drop) {
        const size_t at = random() % own.size();
        for (size_t byte = 0; byte < own[at]->size(); byte += 997) EXPECT_EQ(own[at]->data()[byte], static_cast<uint8_t>(seed));
        std::shared_ptr<Block> gone = std::move(own[at]);
        own.erase(own.begin() + static_cast<ptrdiff_t>(at));
        const std::lock_guard<std::mutex> lock(handed_over_mutex);
        handed_over.push_back(std::move(gone));
        if (handed_over.size() > 20) handed_over.clear();
      }
      EXPECT_LE(arena_->use().slab_bytes, 512 * kKiB);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  handed_over.clear();
  EXPECT_EQ(taken, 8000u);
  EXPECT_EQ(arena_->use().live_bytes, 0u);
  EXPECT_EQ(arena_->use().live_blocks, 0u);
  EXPECT_EQ(arena_->use().slab_bytes, locker_->locked_bytes());
  EXPECT_EQ(BlockPool::Process().live_bytes(), pageable_before);
  EXPECT_EQ(Take(64 * kKiB)->kind(), MemoryKind::kPinned) << "what was cut up is whole again";
  arena_.reset();
  EXPECT_EQ(locker_->locked_bytes(), 0u);
}

TEST_F(PinnedArenaTest, TellsWhereGpusReadEachBlock) {
  Start(kMiB, kMiB);
  const auto first = Take(1000);
  const auto second = Take(2000);
  for (const auto& block : {first, second}) {
    EXPECT_EQ(block->device(), reinterpret_cast<uint64_t>(block->data()) + FakeLocker::kDeviceOffset);
    const Slice slice = WholeSlice(block).Sub(100, 7);
    EXPECT_EQ(slice.device, block->device() + 100);
  }
  locker_->maps = false;
  Start(kMiB, kMiB);
  const auto unmapped = Take(1000);
  EXPECT_EQ(unmapped->kind(), MemoryKind::kPinned);
  EXPECT_EQ(WholeSlice(unmapped).Sub(100, 7).device, 0u);
  EXPECT_EQ(arena_->TryMapped(1000), nullptr);
  EXPECT_EQ(arena_->use().live_blocks, 1u);
}

TEST_F(PinnedArenaTest, GivesMappedMemoryForAQueueOnlyFromWhatIsLockedAndLeavesHalf) {
  Start(kMiB, kMiB);
  EXPECT_EQ(arena_->TryMapped(1000), nullptr);
  EXPECT_EQ(locker_->asked, 0) << "whoever asks cannot wait for pages to be locked";
  Take(1000);
  std::vector<std::shared_ptr<Block>> queued;
  while (const auto block = arena_->TryMapped(64 * kKiB)) queued.push_back(block);
  EXPECT_EQ(queued.size(), 8u);
  EXPECT_EQ(arena_->use().live_bytes, 512 * kKiB);
  EXPECT_EQ(arena_->use().fallback_blocks, 0u) << "nobody got anything else instead";
  EXPECT_EQ(Take(512 * kKiB)->kind(), MemoryKind::kPinned);
  EXPECT_EQ(arena_->TryMapped(UINT64_MAX), nullptr);
  queued.clear();
  EXPECT_EQ(arena_->use().live_bytes, 0u);
}

}  // namespace
}  // namespace penstock::memory
