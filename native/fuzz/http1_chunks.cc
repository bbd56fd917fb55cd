// Chunked bodies: the scanner, fed in pieces, against a reading of the whole text by other means.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "fuzz/exact_copy.h"
#include "fuzz/targets.h"
#include "transport/http1_head.h"

namespace penstock::fuzz {
namespace {

using Scanner = transport::Http1ChunkScanner;
using State = Scanner::State;

constexpr std::string_view kHex = "0123456789abcdefABCDEF";
constexpr std::string_view kToken = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~";

// Takes `text` off the front of `rest`. kMore: it may still come.
State TakeText(std::string_view text, std::string_view* rest) {
  const size_t size = std::min(text.size(), rest->size());
  if (rest->substr(0, size) != text.substr(0, size)) return State::kRefused;
  if (size < text.size()) return State::kMore;
  rest->remove_prefix(size);
  return State::kEnd;
}

std::string_view TakeWhileIn(std::string_view set, std::string_view* rest) {
  const std::string_view run = rest->substr(0, std::min(rest->find_first_not_of(set), rest->size()));
  rest->remove_prefix(run.size());
  return run;
}

// Of plain tokens: `;name`, `;name=value`. The limit counts what lies between the first semicolon and the line feed.
State TakeExtensions(std::string_view* rest) {
  const size_t before = rest->size();
  while (!rest->empty() && rest->front() == ';') {
    for (const char sign : {';', '='}) {
      if (rest->empty() || rest->front() != sign) break;
      rest->remove_prefix(1);
      if (TakeWhileIn(kToken, rest).empty() && !rest->empty()) return State::kRefused;
    }
  }
  const size_t most = Scanner::kMaxExtensionBytes + (rest->empty() ? 1 : 0);
  if (before - rest->size() > most) return State::kRefused;
  return rest->empty() ? State::kMore : State::kEnd;
}

State TakeSize(std::string_view* rest, uint64_t* size) {
  const std::string_view digits = TakeWhileIn(kHex, rest);
  if (digits.size() > 16) return State::kRefused;
  if (rest->empty()) return State::kMore;
  if (digits.empty()) return State::kRefused;
  *size = 0;
  for (const char c : digits) {
    const size_t digit = kHex.find(c);
    *size = *size * 16 + (digit < 16 ? digit : digit - 6);
  }
  const State state = TakeExtensions(rest);
  return state == State::kEnd ? TakeText("\r\n", rest) : state;
}

State TakeTrailer(std::string_view* rest) {
  const std::string_view name = TakeWhileIn(kToken, rest);
  if (rest->empty()) return State::kMore;
  if (name.empty() || rest->front() != ':') return State::kRefused;
  rest->remove_prefix(1);
  while (!rest->empty() && (static_cast<uint8_t>(rest->front()) >= 0x20 || rest->front() == '\t') && rest->front() != 0x7F) {
    rest->remove_prefix(1);
  }
  return TakeText("\r\n", rest);
}

// kEnd: `rest` is what follows the body.
State ReadBody(std::string_view* rest) {
  for (;;) {
    uint64_t size = 0;
    State state = TakeSize(rest, &size);
    if (state != State::kEnd) return state;
    if (size == 0) break;
    if (size > rest->size()) return State::kMore;
    rest->remove_prefix(static_cast<size_t>(size));
    state = TakeText("\r\n", rest);
    if (state != State::kEnd) return state;
  }
  while (!rest->empty() && rest->front() != '\r') {
    const State state = TakeTrailer(rest);
    if (state != State::kEnd) return state;
  }
  return TakeText("\r\n", rest);
}

}  // namespace

const char* TryHttp1Chunks(std::string_view input) {
  if (input.empty()) return nullptr;
  Choices choices(static_cast<uint8_t>(input[0]));
  const std::string_view body = input.substr(1);
  Scanner whole;
  size_t whole_taken = 0;
  const State state = whole.Scan(body, &whole_taken);
  std::string_view rest = body;
  if (ReadBody(&rest) != state) return "two readers agree on whether a body ends";
  if (state == State::kEnd && whole_taken != body.size() - rest.size()) return "two readers agree on where a body ends";
  if (state == State::kMore && whole_taken != body.size()) return "what may go on is taken whole";

  Scanner pieces;
  State found = State::kMore;
  size_t taken = 0;
  while (found == State::kMore && taken < body.size()) {
    const memory::Slice piece = ExactCopy(body.substr(taken, 1 + choices.Next() % 64));
    size_t now = 0;
    found = pieces.Scan(TextOf(piece), &now);
    if (now > piece.size || (found == State::kMore && now < piece.size)) return "a piece is taken as far as it goes";
    taken += now;
  }
  if (found != state || taken != whole_taken) return "a body is the same in pieces";
  if (state == State::kMore) return nullptr;
  size_t more = 1;
  return pieces.Scan("0\r\n\r\n", &more) == state && more == 0 ? nullptr : "nothing is taken behind the end";
}

}  // namespace penstock::fuzz
