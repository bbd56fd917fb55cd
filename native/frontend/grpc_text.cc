#include "frontend/grpc_text.h"

#include <cmath>
#include <limits>

#include "base/clock.h"

namespace penstock::frontend {
namespace {

// Of JavaScript, which counts in UTF-16: what takes four bytes of UTF-8 counts twice.
constexpr size_t kMostDetailsUnits = 800;
constexpr const char* kReplacement = "\xef\xbf\xbd";  // U+FFFD
constexpr const char* kRetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// What encodeURI leaves alone.
bool IsPlain(char c) {
  if (IsDigit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  return c != '\0' && std::string_view(";,/?:@&=+$-_.!~*'()#").find(c) != std::string_view::npos;
}

int64_t UnitNs(char unit) {
  switch (unit) {
    case 'H':
      return 3600 * kNsPerSecond;
    case 'M':
      return 60 * kNsPerSecond;
    case 'S':
      return kNsPerSecond;
    case 'm':
      return 1'000'000;
    case 'u':
      return 1000;
    case 'n':
      return 1;
    default:
      return 0;
  }
}

void AppendVarint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

void AppendNumber(std::string* out, uint32_t field, uint64_t value) {
  AppendVarint(out, uint64_t{field} << 3);
  AppendVarint(out, value);
}

void AppendText(std::string* out, uint32_t field, std::string_view text) {
  AppendVarint(out, uint64_t{field} << 3 | 2);
  AppendVarint(out, text.size());
  out->append(text);
}

std::string Base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < left ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) text.push_back(j <= left ? kDigits[group >> (18 - 6 * j) & 63] : '=');
  }
  return text;
}

}  // namespace

bool ParseGrpcTimeout(std::string_view text, int64_t* nanoseconds) {
  if (text.size() < 2 || text.size() > 9) return false;
  const int64_t unit = UnitNs(text.back());
  if (unit == 0) return false;
  int64_t count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (!IsDigit(c)) return false;
    count = count * 10 + (c - '0');
  }
  if (__builtin_mul_overflow(count, unit, nanoseconds)) *nanoseconds = std::numeric_limits<int64_t>::max();
  return true;
}

std::string GrpcDetails(std::string_view message) {
  size_t units = 0;
  for (size_t at = 0; at < message.size(); ++at) {
    const auto byte = static_cast<uint8_t>(message[at]);
    if ((byte & 0xc0) == 0x80) continue;  // not the first of its character
    const size_t wide = byte >= 0xf0 ? 2 : 1;
    if (units + wide > kMostDetailsUnits) {
      std::string clipped(message.substr(0, at));
      // The half of a character that JavaScript would keep becomes this one.
      if (units < kMostDetailsUnits) clipped += kReplacement;
      return clipped + "...";
    }
    units += wide;
  }
  return std::string(message);
}

std::string GrpcMessage(std::string_view message) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : GrpcDetails(message)) {
    if (IsPlain(c)) {
      encoded.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    encoded.push_back('%');
    encoded.push_back(kDigits[byte >> 4]);
    encoded.push_back(kDigits[byte & 15]);
  }
  return encoded;
}

std::string RetryDetails(int grpc_status, std::string_view details, double delay_ms) {
  const double seconds = std::floor(delay_ms / 1000);
  std::string duration;
  AppendNumber(&duration, 1, static_cast<uint64_t>(seconds));
  AppendNumber(&duration, 2, static_cast<uint64_t>((delay_ms - seconds * 1000) * 1e6));
  std::string retry_info;
  AppendText(&retry_info, 1, duration);
  std::string any;
  AppendText(&any, 1, kRetryInfoUrl);
  AppendText(&any, 2, retry_info);
  std::string status;
  AppendNumber(&status, 1, static_cast<uint64_t>(grpc_status));
  AppendText(&status, 2, details);
  AppendText(&status, 3, any);
  return Base64(status);
}

const char* GrpcStatusName(int grpc_status) {
  constexpr const char* kNames[] = {"OK",
                                    "CANCELLED",
                                    "UNKNOWN",
                                    "INVALID_ARGUMENT",
                                    "DEADLINE_EXCEEDED",
                                    "NOT_FOUND",
                                    "ALREADY_EXISTS",
                                    "PERMISSION_DENIED",
                                    "RESOURCE_EXHAUSTED",
                                    "FAILED_PRECONDITION",
                                    "ABORTED",
                                    "OUT_OF_RANGE",
                                    "UNIMPLEMENTED",
                                    "INTERNAL",
                                    "UNAVAILABLE",
                                    "DATA_LOSS",
                                    "UNAUTHENTICATED"};
  const bool is_known = grpc_status >= 0 && static_cast<size_t>(grpc_status) < sizeof kNames / sizeof kNames[0];
  return is_known ? kNames[grpc_status] : "UNKNOWN";
}

}  // namespace penstock::frontend
