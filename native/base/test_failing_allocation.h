// Small allocations that fail when a test wants it. Replaces `new` and `delete` of the whole binary: one file of a folder's tests includes it.
#pragma once

#include <cstdlib>
#include <new>

namespace penstock {

// While it lives, allocation `number` (0 = the next one) of this thread fails. It is one only: what says so needs memory, too.
class FailingAllocation {
 public:
  explicit FailingAllocation(int number) { succeeding_ = number; }
  ~FailingAllocation() { succeeding_ = kNone; }
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  bool happened() const { return succeeding_ == kNone; }

  // Whether it is the one that fails.
  static bool IsNext() noexcept { return succeeding_ != kNone && succeeding_-- == 0; }

 private:
  static constexpr int kNone = -1;
  static inline thread_local int succeeding_ = kNone;
};

}  // namespace penstock

// The other forms come down to these. Not inlined: GCC would warn of the malloc and the free that it sees then.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return penstock::FailingAllocation::IsNext() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (void* const memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new[](std::size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
