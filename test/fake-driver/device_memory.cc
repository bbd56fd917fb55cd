#include "device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/checked_math.h"

namespace penstock::fake_driver {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kPatternBytes = 1 << 20;  // enough to be seen, and cheap for a block of gigabytes
constexpr unsigned char kPattern = 0xA5;

}  // namespace

void* MemoryPool::Allocate(size_t bytes, uint64_t limit) {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  uint64_t after = 0;
  if (!CheckedAdd(used_bytes(), bytes, &after) || after > limit) return nullptr;
  void* block = nullptr;
  if (posix_memalign(&block, alignment_, bytes) != 0) return nullptr;
  std::memset(block, kPattern, std::min(bytes, kPatternBytes));
  blocks_.emplace(reinterpret_cast<uintptr_t>(block), bytes);
  used_bytes_.store(after, std::memory_order_relaxed);
  return block;
}

bool MemoryPool::Free(void* block) {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  const auto found = blocks_.find(reinterpret_cast<uintptr_t>(block));
  if (found == blocks_.end()) return false;
  used_bytes_.store(used_bytes() - found->second, std::memory_order_relaxed);
  blocks_.erase(found);
  std::free(block);
  return true;
}

void MemoryPool::FreeAll() {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  for (const auto& [address, bytes] : blocks_) std::free(reinterpret_cast<void*>(address));
  blocks_.clear();
  used_bytes_.store(0, std::memory_order_relaxed);
}

bool MemoryPool::Begins(const void* block) const {
  std::shared_lock<std::shared_mutex> lock(mutex_);
  return blocks_.count(reinterpret_cast<uintptr_t>(block)) > 0;
}

bool MemoryPool::Contains(const void* from, size_t bytes) const {
  const auto address = reinterpret_cast<uintptr_t>(from);
  std::shared_lock<std::shared_mutex> lock(mutex_);
  auto block = blocks_.upper_bound(address);
  if (block == blocks_.begin()) return false;
  --block;
  const uint64_t offset = address - block->first;
  return offset <= block->second && bytes <= block->second - offset;
}

MemoryPool& HostMemory() {
  static auto& memory = *new MemoryPool(kPageBytes);  // never destroyed: threads of streams may use it while the process ends
  return memory;
}

}  // namespace penstock::fake_driver
