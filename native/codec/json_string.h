// JSON string literals: checked, decoded, written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::codec {

struct JsonStringScan {
  const char* stop = nullptr;     // the closing quote; where the text is wrong, the byte at fault (`end` when it stops short)
  const char* problem = nullptr;  // what was expected at `stop`; null when the literal is right
  bool has_escapes = false;
};

// Checks the literal whose opening quote is just before `text`: RFC 8259 grammar, UTF-8, surrogates only in pairs.
JsonStringScan ScanJsonString(const char* text, const char* end);

// Decodes what lies between the quotes of a literal that ScanJsonString found right. The result is never longer than `raw`, for which
// `destination` has room. Returns its length.
size_t DecodeJsonString(std::string_view raw, char* destination);

// Appends `text` as a literal with its quotes. False, and nothing appended, when it is not UTF-8.
bool AppendJsonString(std::string_view text, std::string* out);

}  // namespace penstock::codec
