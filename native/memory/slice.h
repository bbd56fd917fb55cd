// Bytes somebody else keeps alive: pointer, length, memory kind and a counted owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock::memory {

enum class MemoryKind : uint8_t { kPageable, kPinned, kShared, kDevice };

// Keeps the bytes of a slice valid while it lives. Dropping the last reference may happen on any thread: an owner that must be
// released on a certain thread (a JavaScript buffer) sends itself there from its deleter.
using Owner = std::shared_ptr<const void>;

struct Slice {
  const uint8_t* data = nullptr;
  size_t size = 0;
  MemoryKind kind = MemoryKind::kPageable;
  Owner owner;
  // Where GPUs read the same bytes; 0 = nowhere. Only page-locked memory (kPinned) that is mapped for them has one.
  uint64_t device = 0;

  // [offset, offset + length) of this slice under the same owner. The range must lie inside.
  Slice Sub(size_t offset, size_t length) const {
    return Slice{data + offset, length, kind, owner, device == 0 ? 0 : device + offset};
  }
};

// The bytes of one tensor or message, in order, possibly in several pieces (a message that arrived in several socket reads).
class SliceChain {
 public:
  SliceChain() = default;
  explicit SliceChain(Slice slice) { Append(std::move(slice)); }

  // Empty slices are dropped.
  void Append(Slice slice);
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::vector<Slice>& slices() const { return slices_; }

  // [offset, offset + length) as a chain that shares the owners. The range must lie inside.
  SliceChain Sub(size_t offset, size_t length) const;

  // Copies all bytes, in order; `destination` has room for size() bytes.
  void CopyTo(uint8_t* destination) const;

 private:
  std::vector<Slice> slices_;
  size_t size_ = 0;
};

}  // namespace penstock::memory
