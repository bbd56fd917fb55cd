#include "codec/json_string.h"

#include <cstdint>
#include <cstring>

#include "codec/utf8.h"

namespace penstock::codec {
namespace {

constexpr uint64_t kOnes = 0x0101010101010101ull;
constexpr uint64_t kHighBits = 0x8080808080808080ull;

// Nonzero when a byte of `word` is zero.
constexpr uint64_t ZeroByte(uint64_t word) { return (word - kOnes) & ~word & kHighBits; }

// True when none of the eight bytes is a quote, a backslash, a control character or past ASCII.
bool EightPlain(const char* text) {
  uint64_t word = 0;
  std::memcpy(&word, text, 8);
  const uint64_t below_space = (word - kOnes * 0x20) & ~word;
  return ((word | below_space | ZeroByte(word ^ (kOnes * '"')) | ZeroByte(word ^ (kOnes * '\\'))) & kHighBits) == 0;
}

// The same of one byte.
bool IsPlain(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

const char* SkipPlain(const char* text, const char* end) {
  while (end - text >= 8 && EightPlain(text)) text += 8;
  return text;
}

// The value of a hexadecimal digit, or -1.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The code unit of `\uXXXX` at `text`, or -1 when that is not what stands there.
int32_t UnicodeEscape(const char* text, const char* end) {
  if (end - text < 6 || text[0] != '\\' || text[1] != 'u') return -1;
  int32_t unit = 0;
  for (int i = 2; i < 6; ++i) {
    const int digit = HexValue(text[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool IsHighSurrogate(int32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool IsLowSurrogate(int32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// The character that a one-letter escape stands for; 0 when there is no such escape.
char ShortEscape(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return 0;
  }
}

// Length of the escape at `text`, a backslash; 0 when it is wrong and *problem says how.
size_t EscapeLength(const char* text, const char* end, const char** problem) {
  if (end - text >= 2 && ShortEscape(text[1]) != 0) return 2;
  const int32_t unit = UnicodeEscape(text, end);
  *problem = "an escape of JSON";
  if (unit < 0) return 0;
  *problem = "a surrogate pair";
  if (IsLowSurrogate(unit)) return 0;
  if (!IsHighSurrogate(unit)) return 6;
  return IsLowSurrogate(UnicodeEscape(text + 6, end)) ? 12 : 0;
}

void AppendEscaped(char c, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      *out += "\\\"";
      return;
    case '\\':
      *out += "\\\\";
      return;
    case '\n':
      *out += "\\n";
      return;
    case '\r':
      *out += "\\r";
      return;
    case '\t':
      *out += "\\t";
      return;
    default:
      *out += {'\\', 'u', '0', '0', kHex[(c >> 4) & 15], kHex[c & 15]};
  }
}

}  // namespace

JsonStringScan ScanJsonString(const char* text, const char* end) {
  JsonStringScan scan;
  for (;;) {
    text = SkipPlain(text, end);
    while (text < end && IsPlain(*text)) ++text;
    scan.stop = text;
    if (text == end) {
      scan.problem = "the closing quote of a string";
      return scan;
    }
    if (*text == '"') return scan;
    size_t length = 0;
    if (*text == '\\') {
      scan.has_escapes = true;
      length = EscapeLength(text, end, &scan.problem);
    } else if (static_cast<uint8_t>(*text) < 0x20) {
      scan.problem = "an escape for a control character";
    } else {
      length = Utf8SequenceLength(text, end);
      if (length == 0) scan.problem = "UTF-8";
    }
    if (length == 0) return scan;
    scan.problem = nullptr;
    text += length;
  }
}

size_t DecodeJsonString(std::string_view raw, char* destination) {
  const char* at = raw.data();
  const char* const end = at + raw.size();
  char* out = destination;
  while (at < end) {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    if (at[1] != 'u') {
      *out++ = ShortEscape(at[1]);
      at += 2;
      continue;
    }
    int32_t code_point = UnicodeEscape(at, end);
    at += 6;
    if (IsHighSurrogate(code_point)) {
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (UnicodeEscape(at, end) - 0xDC00);
      at += 6;
    }
    out += EncodeUtf8(static_cast<uint32_t>(code_point), out);
  }
  return static_cast<size_t>(out - destination);
}

bool AppendJsonString(std::string_view text, std::string* out) {
  if (!IsUtf8(text)) return false;
  *out += '"';
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    const char* plain = SkipPlain(at, end);
    while (plain < end && *plain != '"' && *plain != '\\' && static_cast<uint8_t>(*plain) >= 0x20) ++plain;
    out->append(at, plain);
    if (plain < end) AppendEscaped(*plain++, out);
    at = plain;
  }
  *out += '"';
  return true;
}

}  // namespace penstock::codec
