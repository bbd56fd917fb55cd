#include "memory/block.h"

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "base/checked_math.h"

namespace penstock::memory {

class BlockPool::Pageable final : public Block {
 public:
  Pageable(BlockPool* pool, uint8_t* data, size_t size) : Block(data, size, MemoryKind::kPageable), pool_(pool) {}
  ~Pageable() override {
    std::free(data());
    pool_->live_bytes_.fetch_sub(size(), std::memory_order_relaxed);
    pool_->live_blocks_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  BlockPool* const pool_;
};

Result<std::shared_ptr<Block>> BlockPool::Allocate(uint64_t bytes) {
  const auto refuse = [bytes](const char* why) {
    return Status(StatusCode::kMemory, "cannot allocate " + std::to_string(bytes) + " bytes: " + why);
  };
  uint64_t rounded = 0;
  if (!CheckedAdd(bytes, kAlignment - 1, &rounded) || rounded > PTRDIFF_MAX) return refuse("no object can be so large");
  rounded = rounded / kAlignment * kAlignment;
  if (rounded == 0) rounded = kAlignment;

  // Counted only once it fits: a refused giant must not, even for a moment, crowd out a small block of another thread.
  const uint64_t limit = limit_bytes_.load(std::memory_order_relaxed);
  uint64_t live = live_bytes_.load(std::memory_order_relaxed);
  uint64_t wanted = 0;
  do {
    if (!CheckedAdd(live, bytes, &wanted) || (limit != 0 && wanted > limit)) return refuse("the limit on tensor memory is reached");
  } while (!live_bytes_.compare_exchange_weak(live, wanted, std::memory_order_relaxed));

  auto* data = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, rounded));
  Block* block = data == nullptr ? nullptr : new (std::nothrow) Pageable(this, data, bytes);
  if (block == nullptr) {
    std::free(data);
    live_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    return refuse("the machine has no more memory");
  }
  live_blocks_.fetch_add(1, std::memory_order_relaxed);
  return std::shared_ptr<Block>(block);
}

BlockPool& BlockPool::Process() {
  static BlockPool* pool = new BlockPool();
  return *pool;
}

Slice WholeSlice(std::shared_ptr<Block> block) {
  const uint8_t* data = block->data();
  const size_t size = block->size();
  const MemoryKind kind = block->kind();
  const uint64_t device = block->device();
  return Slice{data, size, kind, std::move(block), device};
}

}  // namespace penstock::memory
