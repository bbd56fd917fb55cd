#include <algorithm>

#include "transport/http1_grammar.h"
#include "transport/http1_head.h"

namespace penstock::transport {
namespace {

constexpr uint8_t kMaxSizeDigits = 16;  // of 64 bits

// Or -1.
int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Http1ChunkScanner::State Http1ChunkScanner::Scan(std::string_view bytes, size_t* taken) {
  *taken = 0;
  while (*taken < bytes.size() && StateNow() == State::kMore) {
    size_t run = 0;
    ScanRun(bytes.substr(*taken), &run);
    *taken += run;
  }
  return StateNow();
}

Http1ChunkScanner::State Http1ChunkScanner::ScanRun(std::string_view bytes, size_t* taken) {
  size_t at = 0;
  if (where_ == Where::kData) {
    at = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
    left_ -= at;
    if (left_ == 0) where_ = Where::kDataCr;
  } else {
    while (at < bytes.size() && where_ != Where::kData && StateNow() == State::kMore) {
      where_ = Next(bytes[at]);
      if (where_ != Where::kRefused) ++at;
    }
  }
  *taken = at;
  return StateNow();
}

Http1ChunkScanner::State Http1ChunkScanner::StateNow() const {
  if (where_ == Where::kEnd) return State::kEnd;
  return where_ == Where::kRefused ? State::kRefused : State::kMore;
}

// Where the scanner stands behind `c`, which is not data.
Http1ChunkScanner::Where Http1ChunkScanner::Next(char c) {
  switch (where_) {
    case Where::kSize:
      return NextOfSize(c);
    case Where::kExtensionBegin:
    case Where::kExtensionName:
    case Where::kExtensionValueBegin:
    case Where::kExtensionValue:
      return NextOfExtension(c);
    case Where::kSizeLf:
      size_digits_ = 0;
      extension_bytes_ = 0;
      if (c != '\n') return Where::kRefused;
      return left_ == 0 ? Where::kTrailer : Where::kData;
    case Where::kDataCr:
      return c == '\r' ? Where::kDataLf : Where::kRefused;
    case Where::kDataLf:
      return c == '\n' ? Where::kSize : Where::kRefused;
    case Where::kEndLf:
      return c == '\n' ? Where::kEnd : Where::kRefused;
    default:
      return NextOfTrailer(c);
  }
}

Http1ChunkScanner::Where Http1ChunkScanner::NextOfSize(char c) {
  if (size_digits_ > 0 && c == '\r') return Where::kSizeLf;
  if (size_digits_ > 0 && c == ';') return Where::kExtensionBegin;
  const int digit = HexValue(c);
  if (digit < 0 || size_digits_ == kMaxSizeDigits) return Where::kRefused;
  ++size_digits_;
  left_ = left_ << 4 | static_cast<uint64_t>(digit);
  return Where::kSize;
}

Http1ChunkScanner::Where Http1ChunkScanner::NextOfExtension(char c) {
  if (++extension_bytes_ > kMaxExtensionBytes) return Where::kRefused;
  switch (where_) {
    case Where::kExtensionBegin:
      return Is(c, kTokenChar) ? Where::kExtensionName : Where::kRefused;
    case Where::kExtensionValueBegin:
      return Is(c, kTokenChar) ? Where::kExtensionValue : Where::kRefused;
    default:
      break;
  }
  if (c == '\r') return Where::kSizeLf;
  if (c == ';') return Where::kExtensionBegin;
  if (c == '=' && where_ == Where::kExtensionName) return Where::kExtensionValueBegin;
  return Is(c, kTokenChar) ? where_ : Where::kRefused;
}

Http1ChunkScanner::Where Http1ChunkScanner::NextOfTrailer(char c) {
  if (++trailer_bytes_ > kMaxHttp1HeadBytes) return Where::kRefused;
  switch (where_) {
    case Where::kTrailer:
      if (c == '\r') return Where::kEndLf;
      return Is(c, kTokenChar) ? Where::kTrailerName : Where::kRefused;
    case Where::kTrailerName:
      if (c == ':') return Where::kTrailerValue;
      return Is(c, kTokenChar) ? Where::kTrailerName : Where::kRefused;
    case Where::kTrailerValue:
      if (c == '\r') return Where::kTrailerLf;
      return Is(c, kValueChar) ? Where::kTrailerValue : Where::kRefused;
    case Where::kTrailerLf:
      return c == '\n' ? Where::kTrailer : Where::kRefused;
    default:
      return Where::kRefused;
  }
}

}  // namespace penstock::transport
