// UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock::codec {

// Length of the well-formed sequence at the start of [text, end), 1 to 4; 0 when there is none (also for an empty text).
size_t Utf8SequenceLength(const char* text, const char* end);

// Index of the first byte that does not begin a well-formed sequence; text.size() when all of it is UTF-8.
size_t Utf8ValidPrefix(std::string_view text);

inline bool IsUtf8(std::string_view text) { return Utf8ValidPrefix(text) == text.size(); }

// Writes the sequence of `code_point` (a scalar value: no surrogate, at most 0x10FFFF) and returns its length, 1 to 4.
size_t EncodeUtf8(uint32_t code_point, char* destination);

}  // namespace penstock::codec
