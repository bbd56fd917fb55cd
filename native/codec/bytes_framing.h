// Elements of BYTES tensors in the V2 raw format: uint32 length, little-endian, then the bytes; nothing between elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace penstock::codec {

inline constexpr size_t kBytesPrefix = 4;

// Every machine that ONNX Runtime's packages serve is little-endian, so raw tensors are memory as it is.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw tensors are little-endian");

inline void StoreBytesLength(uint8_t* destination, uint32_t length) { std::memcpy(destination, &length, kBytesPrefix); }

// Writes one element; `destination` has room for kBytesPrefix + element.size() bytes. Returns the byte after it.
inline uint8_t* StoreBytesElement(uint8_t* destination, std::string_view element) {
  StoreBytesLength(destination, static_cast<uint32_t>(element.size()));
  if (!element.empty()) std::memcpy(destination + kBytesPrefix, element.data(), element.size());
  return destination + kBytesPrefix + element.size();
}

// Takes the element at *cursor and moves past it. False when the bytes up to `end` do not hold a whole one.
inline bool TakeBytesElement(const uint8_t** cursor, const uint8_t* end, std::string_view* element) {
  const size_t left = static_cast<size_t>(end - *cursor);
  uint32_t length = 0;
  if (left < kBytesPrefix) return false;
  std::memcpy(&length, *cursor, kBytesPrefix);
  if (length > left - kBytesPrefix) return false;
  *element = std::string_view(reinterpret_cast<const char*>(*cursor) + kBytesPrefix, length);
  *cursor += kBytesPrefix + length;
  return true;
}

}  // namespace penstock::codec
