// Host memory that stands for memory of a device, or for page-locked memory, counted to the byte.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <shared_mutex>

namespace penstock::fake_driver {

// Thread-safe. Lookups take a shared lock only: two threads that copy are not ordered by it, which ThreadSanitizer would take for a
// synchronisation that a real driver does not give.
class MemoryPool {
 public:
  explicit MemoryPool(size_t alignment) : alignment_(alignment) {}

  // Null when `bytes` more would pass `limit`, or the host has none. Filled with a pattern: nobody may count on zeros.
  void* Allocate(size_t bytes, uint64_t limit);
  // False when no block begins there.
  bool Free(void* block);
  void FreeAll();
  bool Begins(const void* block) const;
  // Do these bytes lie within one block?
  bool Contains(const void* from, size_t bytes) const;
  uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  const size_t alignment_;
  mutable std::shared_mutex mutex_;
  std::map<uintptr_t, size_t> blocks_;   // size by address. Guarded by mutex_.
  std::atomic<uint64_t> used_bytes_{0};  // written with mutex_ held
};

// Page-locked memory of the process, mapped into every device.
MemoryPool& HostMemory();

}  // namespace penstock::fake_driver
