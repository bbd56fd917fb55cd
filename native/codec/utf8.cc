#include "codec/utf8.h"

#include <cstring>

namespace penstock::codec {

size_t Utf8SequenceLength(const char* text, const char* end) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t left = static_cast<size_t>(end - text);
  if (left == 0) return 0;
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || left < length) return 0;
  // The second byte's range depends on the lead: it is there that overlong forms, surrogates and values past U+10FFFF show.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

size_t Utf8ValidPrefix(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    uint64_t eight = 0;
    while (end - at >= 8) {
      std::memcpy(&eight, at, 8);
      if ((eight & 0x8080808080808080ull) != 0) break;
      at += 8;
    }
    const size_t length = Utf8SequenceLength(at, end);
    if (length == 0) break;
    at += length;
  }
  return static_cast<size_t>(at - text.data());
}

size_t EncodeUtf8(uint32_t code_point, char* destination) {
  const auto put = [destination](size_t i, uint32_t value) { destination[i] = static_cast<char>(value); };
  const auto tail = [code_point](int shift) { return 0x80u | ((code_point >> shift) & 0x3Fu); };
  if (code_point < 0x80) {
    put(0, code_point);
    return 1;
  }
  if (code_point < 0x800) {
    put(0, 0xC0u | (code_point >> 6));
    put(1, tail(0));
    return 2;
  }
  if (code_point < 0x10000) {
    put(0, 0xE0u | (code_point >> 12));
    put(1, tail(6));
    put(2, tail(0));
    return 3;
  }
  put(0, 0xF0u | (code_point >> 18));
  put(1, tail(12));
  put(2, tail(6));
  put(3, tail(0));
  return 4;
}

}  // namespace penstock::codec
