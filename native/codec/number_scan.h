// The grammar of a JSON number, and the conversions that need no more than one multiplication. Inline: this is the inner loop of
// reading a tensor from JSON.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace penstock::codec {

inline bool IsDigit(char c) { return static_cast<uint8_t>(c - '0') < 10; }
inline bool IsJsonSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? taken apart: its value is +-digits * 10^exponent.
struct NumberScan {
  const char* stop = nullptr;  // first byte after the number; where the text is wrong, the byte at fault
  uint64_t digits = 0;         // all digits as one integer; right only when digits_fit
  int64_t exponent = 0;
  int64_t digit_count = 0;
  bool negative = false;
  bool is_whole = true;  // neither fraction nor exponent
  bool digits_fit = true;
};

// True when the eight bytes are digits; *value is then their number.
inline bool EightDigits(const char* text, uint64_t* value) {
  uint64_t word = 0;
  std::memcpy(&word, text, 8);
  // A digit is 0x30 to 0x39: the high half is 3, also after adding 6 to the low half.
  constexpr uint64_t kHigh = 0xF0F0F0F0F0F0F0F0ull;
  constexpr uint64_t kZeros = 0x3030303030303030ull;
  if ((((word & kHigh) ^ kZeros) | (((word + 0x0606060606060606ull) & kHigh) ^ kZeros)) != 0) return false;
  // Little-endian: the first digit is the lowest byte. Neighbours are joined in pairs, then fours, then eight.
  word -= kZeros;
  word = word * 10 + (word >> 8);
  word = (word & 0x00FF00FF00FF00FFull) * 100 + ((word >> 16) & 0x00FF00FF00FF00FFull);
  word = (word & 0x0000FFFF0000FFFFull) * 10000 + ((word >> 32) & 0x0000FFFF0000FFFFull);
  *value = word & 0xFFFFFFFFull;
  return true;
}

// Adds the digits at `text` to *digits, which wraps when they are too many. Returns the first byte that is not a digit.
inline const char* ScanDigits(const char* text, const char* end, uint64_t* digits) {
  uint64_t eight = 0;
  uint64_t sum = *digits;
  while (end - text >= 8 && EightDigits(text, &eight)) {
    sum = sum * 100000000u + eight;
    text += 8;
  }
  while (text < end && IsDigit(*text)) sum = sum * 10 + static_cast<uint64_t>(*text++ - '0');
  *digits = sum;
  return text;
}

// Reads the exponent whose `e` is just before `text` into *exponent. Null when there is none; *stop then tells where.
inline const char* ScanExponent(const char* text, const char* end, int64_t* exponent, const char** stop) {
  constexpr int64_t kFarAway = 1'000'000'000'000;  // saturates: no text is long enough to bring such a value back
  const bool negative = text < end && *text == '-';
  if (negative || (text < end && *text == '+')) ++text;
  *stop = text;
  if (text == end || !IsDigit(*text)) return nullptr;
  int64_t value = 0;
  for (; text < end && IsDigit(*text); ++text) value = value < kFarAway ? value * 10 + (*text - '0') : value;
  *exponent += negative ? -value : value;
  return text;
}

// False when no JSON number starts at `text`, or digits go on after a leading zero.
inline bool ScanNumber(const char* text, const char* end, NumberScan* scan) {
  scan->negative = text < end && *text == '-';
  if (scan->negative) ++text;
  scan->stop = text;
  if (text == end || !IsDigit(*text)) return false;
  const char* const whole = text;
  uint64_t digits = 0;
  text = *text == '0' ? text + 1 : ScanDigits(text, end, &digits);
  scan->stop = text;
  if (text < end && IsDigit(*text)) return false;
  scan->digit_count = text - whole;
  if (text < end && *text == '.') {
    const char* const fraction = text + 1;
    text = ScanDigits(fraction, end, &digits);
    scan->stop = text;
    if (text == fraction) return false;
    scan->digit_count += text - fraction;
    scan->exponent = fraction - text;
    scan->is_whole = false;
  }
  if (text < end && (*text == 'e' || *text == 'E')) {
    text = ScanExponent(text + 1, end, &scan->exponent, &scan->stop);
    if (text == nullptr) return false;
    scan->is_whole = false;
  }
  scan->digits = digits;
  scan->digits_fit = scan->digit_count <= 19;
  scan->stop = text;
  return true;
}

inline constexpr int64_t kMaxExactPower = 22;
// Powers of ten that a double holds exactly.
inline constexpr double kPowersOfTen[kMaxExactPower + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// digits * 10^exponent in at most two roundings (one to make a double of the digits, one here); the sign is not applied.
inline double ScaleDigits(const NumberScan& scan) {
  const auto digits = static_cast<double>(scan.digits);
  return scan.exponent < 0 ? digits / kPowersOfTen[-scan.exponent] : digits * kPowersOfTen[scan.exponent];
}

inline bool IsShort(const NumberScan& scan) {
  return scan.digits_fit && scan.exponent >= -kMaxExactPower && scan.exponent <= kMaxExactPower;
}

// The nearest double, when the digits and the power of ten are both exact, so that one rounding is all there is. False otherwise.
inline bool QuickDouble(const NumberScan& scan, double* value) {
  if (!IsShort(scan) || scan.digits > (1ull << 53)) return false;
  const double magnitude = ScaleDigits(scan);
  *value = scan.negative ? -magnitude : magnitude;
  return true;
}

// The nearest float. The double in between is off by 2 units in its last place at most, so rounding it to float can go wrong only when
// its lower 29 bits are that close to the middle between two floats. False there, and where the value may pass the float range.
inline bool QuickFloat(const NumberScan& scan, float* value) {
  constexpr uint64_t kMiddle = 1ull << 28;
  constexpr uint64_t kDoubt = 4;
  if (!IsShort(scan)) return false;
  const double magnitude = ScaleDigits(scan);
  if (magnitude > 3e38) return false;
  uint64_t bits = 0;
  std::memcpy(&bits, &magnitude, sizeof(bits));
  const uint64_t from_middle = (bits & ((1ull << 29) - 1)) - (kMiddle - kDoubt);
  if (from_middle <= 2 * kDoubt) return false;
  *value = static_cast<float>(scan.negative ? -magnitude : magnitude);
  return true;
}

}  // namespace penstock::codec
