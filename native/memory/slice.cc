#include "memory/slice.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::memory {

void SliceChain::Append(Slice slice) {
  if (slice.size == 0) return;
  size_ += slice.size;
  slices_.push_back(std::move(slice));
}

SliceChain SliceChain::Sub(size_t offset, size_t length) const {
  SliceChain result;
  for (const Slice& slice : slices_) {
    if (length == 0) break;
    if (offset >= slice.size) {
      offset -= slice.size;
      continue;
    }
    const size_t take = std::min(slice.size - offset, length);
    result.Append(slice.Sub(offset, take));
    offset = 0;
    length -= take;
  }
  return result;
}

void SliceChain::CopyTo(uint8_t* destination) const {
  for (const Slice& slice : slices_) {
    std::memcpy(destination, slice.data, slice.size);
    destination += slice.size;
  }
}

}  // namespace penstock::memory
