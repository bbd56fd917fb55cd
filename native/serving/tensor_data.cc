#include "serving/tensor_data.h"

#include <algorithm>

namespace penstock::serving {
namespace {

constexpr size_t kPrefixBytes = 4;

// A position in a chain. The caller checks remaining() first.
class ChainCursor {
 public:
  explicit ChainCursor(const memory::SliceChain& chain) : chain_(chain), remaining_(chain.size()) {}

  size_t remaining() const { return remaining_; }

  void Skip(size_t bytes) {
    remaining_ -= bytes;
    while (bytes > 0) {
      const size_t step = std::min(bytes, chain_.slices()[slice_].size - offset_);
      offset_ += step;
      bytes -= step;
      if (offset_ == chain_.slices()[slice_].size) {
        ++slice_;
        offset_ = 0;
      }
    }
  }

  // Little-endian; may span slices.
  uint32_t ReadPrefix() {
    uint32_t value = 0;
    for (size_t i = 0; i < kPrefixBytes; ++i) {
      value |= static_cast<uint32_t>(chain_.slices()[slice_].data[offset_]) << (8 * i);
      Skip(1);
    }
    return value;
  }

 private:
  const memory::SliceChain& chain_;
  size_t slice_ = 0;
  size_t offset_ = 0;
  size_t remaining_;
};

}  // namespace

Status CheckBytesFraming(const memory::SliceChain& data, uint64_t elements, const std::string& path) {
  const auto refuse = [&path](const std::string& what) { return Status(StatusCode::kTensorData, path + ": " + what); };
  const auto element = [elements](uint64_t i) { return "element " + std::to_string(i) + " of " + std::to_string(elements); };
  ChainCursor cursor(data);
  for (uint64_t i = 0; i < elements; ++i) {
    if (cursor.remaining() < kPrefixBytes) {
      return refuse("found " + std::to_string(cursor.remaining()) + " bytes, expected the 4-byte length of " + element(i));
    }
    const uint32_t length = cursor.ReadPrefix();
    if (cursor.remaining() < length) {
      return refuse("found " + std::to_string(cursor.remaining()) + " bytes, expected " + std::to_string(length) + " for " + element(i));
    }
    cursor.Skip(length);
  }
  if (cursor.remaining() == 0) return Status::Ok();
  return refuse("found " + std::to_string(cursor.remaining()) + " bytes after the last of " + std::to_string(elements) + " elements");
}

Status CheckBools(const memory::SliceChain& data, const std::string& path) {
  size_t before = 0;
  for (const memory::Slice& slice : data.slices()) {
    // One pass without branches, which the compiler turns into vector instructions; the wrong element is looked for only when there is one.
    uint8_t all = 0;
    for (size_t i = 0; i < slice.size; ++i) all |= slice.data[i];
    if (all > 1) {
      const uint8_t* wrong = std::find_if(slice.data, slice.data + slice.size, [](uint8_t byte) { return byte > 1; });
      const size_t element = before + static_cast<size_t>(wrong - slice.data);
      return Status(StatusCode::kTensorData,
                    path + ": found " + std::to_string(*wrong) + " at element " + std::to_string(element) + ", expected 0 or 1 for BOOL");
    }
    before += slice.size;
  }
  return Status::Ok();
}

}  // namespace penstock::serving
