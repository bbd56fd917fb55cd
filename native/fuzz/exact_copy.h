// Copies in heap blocks of exactly their size: the address sanitizer sees the first byte that is read past their end.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "memory/slice.h"

namespace penstock::fuzz {

inline memory::Slice ExactCopy(std::string_view bytes) {
  const std::shared_ptr<uint8_t[]> owner(new uint8_t[bytes.size()]);
  if (!bytes.empty()) std::memcpy(owner.get(), bytes.data(), bytes.size());
  return memory::Slice{owner.get(), bytes.size(), memory::MemoryKind::kPageable, owner};
}

inline std::string_view TextOf(const memory::Slice& slice) { return {reinterpret_cast<const char*>(slice.data), slice.size}; }

// Places to cut at, and other choices, that follow from one byte of the input.
class Choices {
 public:
  explicit Choices(uint8_t seed) : state_(seed) {}
  uint32_t Next() {
    state_ = state_ * 1103515245u + 12345u;
    return state_ >> 16;
  }

 private:
  uint32_t state_;
};

}  // namespace penstock::fuzz
