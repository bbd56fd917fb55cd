#include "transport/http1_grammar.h"

#include <algorithm>

#include "base/checked_math.h"

namespace penstock::transport {
namespace {

constexpr uint64_t kMaxLength = (uint64_t{1} << 53) - 1;  // what a JavaScript number holds exactly

// Digits only, no leading zero: there is no second way to read it.
bool ReadLength(std::string_view text, uint64_t* length) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    if (!CheckedMul(value, 10, &value) || !CheckedAdd(value, static_cast<uint64_t>(c - '0'), &value)) return false;
  }
  *length = value;
  return value <= kMaxLength;
}

}  // namespace

bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a | 0x20) : a) == b; });
}

Http1Parsed HeadReader::Field(Http1Field* field) {
  Http1Parsed parsed = Run(kTokenChar, &field->name);
  if (parsed != Http1Parsed::kWhole) return parsed;
  if (field->name.empty()) return Http1Parsed::kRefused;
  parsed = Text(":");
  if (parsed != Http1Parsed::kWhole) return parsed;
  std::string_view value;
  parsed = Run(kValueChar, &value);
  if (parsed != Http1Parsed::kWhole) return parsed;
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  // Tabs are white space to RFC 9110. But node:http does not know `chunked` or `close` with a tab behind it.
  if (!value.empty() && (value.front() == '\t' || value.back() == '\t')) return Http1Parsed::kRefused;
  field->value = value;
  return Text("\r\n");
}

bool Http1Framing::Take(const Http1Field& field, bool* is_known) {
  *is_known = true;
  // Comparing lengths first: most fields are none of these.
  switch (field.name.size()) {
    case 10:
    case 16:
      // node:http heeds the second as if it were the first.
      if (!EqualsIgnoringCase(field.name, "connection") && !EqualsIgnoringCase(field.name, "proxy-connection")) break;
      if (EqualsIgnoringCase(field.value, "close")) {
        has_close = true;
      } else if (EqualsIgnoringCase(field.value, "keep-alive")) {
        has_keep_alive = true;
      } else {
        has_connection_options = true;
      }
      return true;
    case 14:
      if (!EqualsIgnoringCase(field.name, "content-length")) break;
      if (has_length || is_chunked) return false;
      has_length = true;
      return ReadLength(field.value, &content_length);
    case 17:
      if (!EqualsIgnoringCase(field.name, "transfer-encoding")) break;
      if (has_length || is_chunked) return false;
      is_chunked = true;
      return EqualsIgnoringCase(field.value, "chunked");
    default:
      break;
  }
  *is_known = false;
  return true;
}

}  // namespace penstock::transport
