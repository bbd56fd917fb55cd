// Page-locked host memory: slabs that the driver has locked once, cut into blocks, with exact accounting.
//
// A GPU copies from and to it at full speed and asynchronously. Locking is slow (milliseconds a slab), so slabs are kept, also empty ones,
// until a larger block needs their room.
//
// A block goes into the smallest hole that takes it (the lowest of equal ones), and freed neighbours join. Sizes are rounded up to eighths
// of a power of two, and 256 bytes at least: that wastes an eighth at most, and the holes that blocks of one size leave fit the next of
// about this size. What fragmentation can cost is bounded by the limit: a block that finds no hole is pageable, and is counted.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "base/status.h"
#include "memory/block.h"

namespace penstock::memory {

// Who locks pages: the driver in the server, a fake in tests. Thread-safe.
class PageLocker {
 public:
  virtual ~PageLocker() = default;
  // Aligned to a page. Null when there is none to be had.
  virtual void* Lock(size_t bytes) = 0;
  // Where GPUs read pages that are locked; 0 = nowhere.
  virtual uint64_t DeviceAddress(void* pages) {
    (void)pages;
    return 0;
  }
  virtual void Unlock(void* pages, size_t bytes) = 0;
};

struct PinnedArenaOptions {
  // Slabs in all; what does not fit falls back to pageable memory. 0: everything does. Triton: --pinned-memory-pool-byte-size.
  uint64_t limit_bytes = 256ull << 20;
  uint64_t slab_bytes = 16ull << 20;  // a larger block gets a slab of its own
};

struct PinnedUse {
  uint64_t limit_bytes = 0;
  uint64_t slab_bytes = 0;       // locked now
  uint64_t live_bytes = 0;       // of blocks alive
  uint64_t live_blocks = 0;
  uint64_t fallback_blocks = 0;  // since the start: asked for here, given from BlockPool::Process()
  uint64_t fallback_bytes = 0;
};

// Thread-safe, and no thread waits for another one that locks pages unless it needs a new slab too. Blocks keep the arena alive.
class PinnedArena : public BlockSource, public std::enable_shared_from_this<PinnedArena> {
 public:
  // `locker` must not be null; it lives as long as the arena.
  static std::shared_ptr<PinnedArena> Create(std::shared_ptr<PageLocker> locker, PinnedArenaOptions options);
  ~PinnedArena() override;

  Result<std::shared_ptr<Block>> Allocate(uint64_t bytes) override;
  // Never locks pages, which may take longer than whoever asks can wait, and never takes what brings all blocks above half of the limit.
  std::shared_ptr<Block> TryMapped(uint64_t bytes) override;

  PinnedUse use() const;

 private:
  struct State;
  explicit PinnedArena(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace penstock::memory
