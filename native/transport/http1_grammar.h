// What the characters of an HTTP/1.1 head may be, and the lines that requests and responses have in common. Private to http1_*.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "transport/http1_head.h"

namespace penstock::transport {

enum CharClass : uint8_t {
  kTokenChar = 1,   // RFC 9110 5.6.2
  kValueChar = 2,   // RFC 9110 5.5: visible, obs-text, space and tab
  kTargetChar = 4,  // path and query of RFC 3986, and the brackets that are often found in queries
};

constexpr std::array<uint8_t, 256> MakeCharClasses() {
  std::array<uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view characters, uint8_t kinds) {
    for (const char c : characters) classes[static_cast<uint8_t>(c)] = static_cast<uint8_t>(classes[static_cast<uint8_t>(c)] | kinds);
  };
  for (size_t c = 0x20; c < 256; ++c) classes[c] = c == 0x7F ? 0 : kValueChar;
  add("\t", kValueChar);
  add("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", kTokenChar | kTargetChar);
  add("!#$%&'*+-.^_`|~", kTokenChar);
  add("-._~!$&'()*+,;=:@/?%[]", kTargetChar);
  return classes;
}
inline constexpr std::array<uint8_t, 256> kCharClasses = MakeCharClasses();

inline bool Is(char c, CharClass kind) { return (kCharClasses[static_cast<uint8_t>(c)] & kind) != 0; }

// Reads forward and never back: what it has passed is right.
class HeadReader {
 public:
  explicit HeadReader(std::string_view bytes) : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  size_t taken() const { return static_cast<size_t>(at_ - begin_); }

  // The longest run of `kind`. kPart when it may go on with bytes that have not come.
  Http1Parsed Run(CharClass kind, std::string_view* run) {
    const char* const start = at_;
    while (at_ < end_ && Is(*at_, kind)) ++at_;
    *run = std::string_view(start, static_cast<size_t>(at_ - start));
    return at_ == end_ ? Http1Parsed::kPart : Http1Parsed::kWhole;
  }

  // Exactly `text`.
  Http1Parsed Text(std::string_view text) {
    for (const char c : text) {
      if (at_ == end_) return Http1Parsed::kPart;
      if (*at_ != c) return Http1Parsed::kRefused;
      ++at_;
    }
    return Http1Parsed::kWhole;
  }

  // The next character, which stays; 0 when it has not come.
  char Peek() const { return at_ == end_ ? '\0' : *at_; }
  bool AtEnd() const { return at_ == end_; }

  // "name: value\r\n", without the white space around the value.
  Http1Parsed Field(Http1Field* field);

 private:
  const char* const begin_;
  const char* at_;
  const char* const end_;
};

// What the fields say about where the message ends, the same for both kinds of message.
struct Http1Framing {
  bool has_length = false;
  uint64_t content_length = 0;
  bool is_chunked = false;
  bool has_close = false;  // Connection: close
  bool has_keep_alive = false;
  bool has_connection_options = false;  // others

  // False: the message must be refused. `*is_known`: the field was one of these.
  [[nodiscard]] bool Take(const Http1Field& field, bool* is_known);
};

}  // namespace penstock::transport
