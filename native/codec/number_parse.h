// One element of a tensor from JSON text, a function for each C++ type. Inline for the same reason as number_scan.h.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "codec/number_scan.h"

namespace penstock::codec {

inline constexpr char kNotNumber[] = "is not a JSON number";
inline constexpr char kOutOfRange[] = "is out of range";
inline constexpr char kNotWhole[] = "has a fraction or an exponent, which is not allowed";

// The correctly rounded value of a number that ScanNumber found at `text`, by the long way. False when it overflows; a value too small
// for the type becomes zero.
bool SlowFloat(const char* text, const NumberScan& scan, float* value);
bool SlowFloat(const char* text, const NumberScan& scan, double* value);

inline const char* ParseFloating(const char* text, const char* end, float* value, const char** why) {
  NumberScan scan;
  *why = kNotNumber;
  if (!ScanNumber(text, end, &scan)) return nullptr;
  *why = kOutOfRange;
  return QuickFloat(scan, value) || SlowFloat(text, scan, value) ? scan.stop : nullptr;
}

inline const char* ParseFloating(const char* text, const char* end, double* value, const char** why) {
  NumberScan scan;
  *why = kNotNumber;
  if (!ScanNumber(text, end, &scan)) return nullptr;
  *why = kOutOfRange;
  return QuickDouble(scan, value) || SlowFloat(text, scan, value) ? scan.stop : nullptr;
}

template <typename Integer>
const char* ParseInteger(const char* text, const char* end, Integer* value, const char** why) {
  NumberScan scan;
  *why = kNotNumber;
  if (!ScanNumber(text, end, &scan)) return nullptr;
  *why = kNotWhole;
  if (!scan.is_whole) return nullptr;
  *why = kOutOfRange;
  uint64_t magnitude = scan.digits;
  if (!scan.digits_fit && std::from_chars(text + scan.negative, scan.stop, magnitude).ec != std::errc()) return nullptr;
  uint64_t limit = static_cast<uint64_t>(std::numeric_limits<Integer>::max());
  if (scan.negative) limit = std::is_signed_v<Integer> ? limit + 1 : 0;
  if (magnitude > limit) return nullptr;
  // In unsigned arithmetic, where the lowest value of a signed type has no overflow to run into.
  *value = static_cast<Integer>(scan.negative ? 0 - magnitude : magnitude);
  return scan.stop;
}

}  // namespace penstock::codec
