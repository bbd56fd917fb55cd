// Blocks: aligned host memory with exact accounting and a process-wide limit.
//
// A block is owned by shared_ptr; ranges of it travel as slices whose owner is the block. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "memory/slice.h"

namespace penstock::memory {

// Given back to where it came from with its last reference, by any thread.
class Block {
 public:
  Block(uint8_t* data, size_t size, MemoryKind kind, uint64_t device = 0) : data_(data), size_(size), kind_(kind), device_(device) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  virtual ~Block() = default;

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  MemoryKind kind() const { return kind_; }
  // As Slice::device.
  uint64_t device() const { return device_; }

 private:
  uint8_t* const data_;
  const size_t size_;
  const MemoryKind kind_;
  const uint64_t device_;
};

// Where blocks come from: the process's pool of ordinary memory, or page-locked memory of a GPU.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // [any thread] A block of exactly `bytes`, aligned to BlockPool::kAlignment. Not zeroed: the caller writes every byte that it hands on.
  // A source of page-locked memory that has none left may give pageable memory: Block::kind says which it is. Errors: kMemory.
  virtual Result<std::shared_ptr<Block>> Allocate(uint64_t bytes) = 0;
  // [any thread] As Allocate, of page-locked memory that GPUs read (Block::device is not 0), for what waits in a queue: null where there is
  // none, where it would have to be locked first, or where so much is in use that later blocks could be left without.
  virtual std::shared_ptr<Block> TryMapped(uint64_t bytes) {
    (void)bytes;
    return nullptr;
  }
};

class BlockPool : public BlockSource {
 public:
  // Every block starts at a multiple of this, so that vector instructions may load from its start.
  static constexpr size_t kAlignment = 64;

  // `limit_bytes`: blocks alive at one time; 0 = no limit.
  explicit BlockPool(uint64_t limit_bytes = 0) : limit_bytes_(limit_bytes) {}

  // Not zeroed: the caller writes every byte that it hands on. kMemory when the limit or the machine says no; nothing is counted then.
  // A zero size gives a valid block of no bytes.
  Result<std::shared_ptr<Block>> Allocate(uint64_t bytes) override;

  uint64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  uint64_t live_blocks() const { return live_blocks_.load(std::memory_order_relaxed); }
  uint64_t limit_bytes() const { return limit_bytes_.load(std::memory_order_relaxed); }
  void set_limit_bytes(uint64_t bytes) { limit_bytes_.store(bytes, std::memory_order_relaxed); }

  // The pool of the process; never destroyed, because blocks may outlive every static object.
  static BlockPool& Process();

 private:
  class Pageable;
  std::atomic<uint64_t> limit_bytes_;
  std::atomic<uint64_t> live_bytes_{0};
  std::atomic<uint64_t> live_blocks_{0};
};

// The whole block as a slice that owns it.
Slice WholeSlice(std::shared_ptr<Block> block);

}  // namespace penstock::memory
